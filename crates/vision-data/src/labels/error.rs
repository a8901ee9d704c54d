//! Errors of labels and classes.

use std::path::PathBuf;

use vision_base::message::{joined, listed, named, shown};

use crate::labels::alike;
use crate::labels::kind::{Dropped, TargetKind};

/// An error of labels or classes.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LabelError {
    /// There are images where the class folders should be.
    #[error(
        "{count} image(s) lie directly in {}, for example {}: the label of an image is the name \
         of its folder, so put each in a folder named after its class",
        shown(folder),
        shown(example)
    )]
    Unlabeled {
        /// The folder.
        folder: PathBuf,
        /// One of the images.
        example: PathBuf,
        /// The number of these images.
        count: usize,
    },
    /// The name of a folder is not valid UTF-8, so it cannot be the name of a class.
    #[error(
        "the folder {} names a class, but its name is not valid UTF-8: rename it",
        shown(folder)
    )]
    NotUtf8 {
        /// The folder.
        folder: PathBuf,
    },
    /// There are too few classes to tell apart.
    #[error(
        "a classifier needs at least two classes, found {}: {} (in {}); expected one folder per class, as in \
         cat/1.jpg and dog/1.jpg, or at least two different labels",
        classes.len(),
        listed(classes.iter()),
        shown(folder)
    )]
    TooFewClasses {
        /// The folder that was read.
        folder: PathBuf,
        /// The classes that were found or given.
        classes: Vec<String>,
    },
    /// The given list of classes is invalid.
    #[error("bad list of classes: {reason}")]
    BadClasses {
        /// Why it is invalid.
        reason: String,
    },
    /// Images have labels that are not among the classes.
    #[error(
        "{} image(s) in {} have a label that is not among the classes: {}; the classes \
         are: {}. {hint}{}",
        parts(unknown),
        shown(folder),
        joined(unknown.iter().map(|d| format!("{} ({})", named(&d.label), d.items))),
        listed(known.iter()),
        alike::note(unknown.iter().map(|d| d.label.as_str()), known)
    )]
    UnknownClasses {
        /// The folder of the images.
        folder: PathBuf,
        /// The labels, each with its number of items and the first of them.
        unknown: Vec<Dropped>,
        /// The classes: those given, or those of the training images.
        known: Vec<String>,
        /// What to do about it.
        hint: String,
    },
    /// The label of an item is invalid.
    #[error(
        "the label of {} cannot be used: expected {expected}, found {found}",
        shown(path)
    )]
    BadLabel {
        /// The file.
        path: PathBuf,
        /// What was expected.
        expected: &'static str,
        /// The label that was found.
        found: String,
    },
    /// There is not exactly one label per item.
    #[error("expected {items} labels, one per item of the list, found {labels}")]
    Count {
        /// The number of items.
        items: usize,
        /// The number of labels.
        labels: usize,
    },
    /// A regular expression is invalid.
    #[error("the pattern \"{}\" is invalid: {}", shown(pattern), shown(reason))]
    BadPattern {
        /// The pattern.
        pattern: String,
        /// Why it is invalid.
        reason: String,
    },
    /// A pattern does not match a path.
    #[error(
        "the pattern \"{}\" does not match {}: expected a path in which it captures the label; change the \
         pattern, or leave such files out (filter_by_func)",
        shown(pattern),
        shown(path)
    )]
    PatternNotFound {
        /// The pattern.
        pattern: String,
        /// The file.
        path: PathBuf,
    },
    /// The labels are not of the requested kind.
    #[error(
        "the labels are {}, expected {}: choose a loss and metrics for this kind of label",
        found.describe(),
        expected.describe()
    )]
    WrongKind {
        /// The requested kind.
        expected: TargetKind,
        /// The kind of the data.
        found: TargetKind,
    },
}

/// The numbers of items by part, as in "2 training and 3 validation".
fn parts(unknown: &[Dropped]) -> String {
    let mut parts: Vec<(&str, usize)> = Vec::new();
    for Dropped { part, items, .. } in unknown {
        match parts.iter_mut().find(|(name, _)| name == part) {
            Some((_, count)) => *count += items,
            None => parts.push((part, *items)),
        }
    }
    let parts: Vec<String> = parts
        .iter()
        .map(|(part, n)| format!("{n} {part}"))
        .collect();
    parts.join(" and ")
}
