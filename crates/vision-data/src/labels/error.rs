//! What can be wrong with labels and classes.

use std::path::PathBuf;

use vision_base::message::{joined, listed, named, shown};

use crate::labels::kind::{Dropped, TargetKind};

/// What can be wrong with labels and classes.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LabelError {
    /// Images lie where the folders of the classes should be.
    #[error(
        "{count} image(s) lie directly in {}, for example {}: the label of an image is the name \
         of its folder, so put each in a folder named after its class",
        shown(folder),
        shown(example)
    )]
    Unlabelled {
        /// The folder.
        folder: PathBuf,
        /// One of them.
        example: PathBuf,
        /// How many there are.
        count: usize,
    },
    /// The name of a folder is no valid UTF-8, so it cannot be the name of a class.
    #[error(
        "the folder {} names a class, but its name is not valid UTF-8: rename it",
        shown(folder)
    )]
    NotUtf8 {
        /// The folder.
        folder: PathBuf,
    },
    /// There is nothing to tell apart.
    #[error(
        "a classifier needs at least two classes, found {}: {} (in {}); expected one folder a \
         class, as in cat/1.jpg and dog/1.jpg, or labels of two kinds",
        classes.len(),
        listed(classes.iter()),
        shown(folder)
    )]
    TooFewClasses {
        /// The folder that was read.
        folder: PathBuf,
        /// The classes found or given.
        classes: Vec<String>,
    },
    /// The list of classes that was given cannot be used.
    #[error("bad list of classes: {reason}")]
    BadClasses {
        /// What is wrong with it.
        reason: String,
    },
    /// Images have labels that are not among the classes.
    #[error(
        "{} image(s) in {} have a label that is not among the classes: {}; the classes \
         are: {}. {hint}",
        parts(unknown),
        shown(folder),
        joined(unknown.iter().map(|d| format!("{} ({})", named(&d.label), d.items))),
        listed(known.iter())
    )]
    UnknownClasses {
        /// The folder of the images.
        folder: PathBuf,
        /// The labels, the number of items of each, and the first of these.
        unknown: Vec<Dropped>,
        /// The classes: those given, or those of the training images.
        known: Vec<String>,
        /// What to do about it.
        hint: String,
    },
    /// The label of an item cannot be used.
    #[error(
        "the label of {} cannot be used: expected {expected}, found {found}",
        shown(path)
    )]
    BadLabel {
        /// The file.
        path: PathBuf,
        /// What a label is like.
        expected: &'static str,
        /// The label.
        found: String,
    },
    /// There is not one label an item.
    #[error("expected {items} labels, one for each in the list, found {labels}")]
    Count {
        /// The number of items.
        items: usize,
        /// The number of labels.
        labels: usize,
    },
    /// A regular expression cannot be used.
    #[error("the pattern \"{pattern}\" cannot be used: {reason}")]
    BadPattern {
        /// The pattern.
        pattern: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A pattern is not found in a path.
    #[error(
        "failed to find \"{pattern}\" in {}: expected a path in which it captures the label; change \
         the pattern, or leave such files out (filter_by_func)",
        shown(path)
    )]
    PatternNotFound {
        /// The pattern.
        pattern: String,
        /// The file.
        path: PathBuf,
    },
    /// The labels are of another kind than the one asked for.
    #[error(
        "the labels are {}, but {} is asked for: choose a loss and metrics for that kind of label",
        found.describe(),
        expected.describe()
    )]
    WrongKind {
        /// The kind asked for.
        expected: TargetKind,
        /// The kind that the data has.
        found: TargetKind,
    },
}

/// "2 training and 3 validation".
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
