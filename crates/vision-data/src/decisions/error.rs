//! Errors of decisions.

use std::path::PathBuf;

use vision_base::message::{listed, quoted, shown};

use crate::labels::alike;

/// An error of decisions about images.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DecisionError {
    /// Two different decisions are about one image.
    #[error(
        "{first} and {second} decide differently about {}: expected one decision for each image; take one of them out",
        quoted(name)
    )]
    Twice {
        /// The image.
        name: String,
        /// The line of the first decision.
        first: String,
        /// The line of the second one.
        second: String,
    },
    /// A decision is about an image that the data does not have.
    #[error(
        "{place} is about {}, which is no image of the data in {}{}: {hint}; correct the name, take the line out, or \
         allow such names (Decisions::with_missing_ignored)",
        quoted(name),
        shown(root),
        match others { 0 => String::new(), others => format!(" (and {others} more)") }
    )]
    Unknown {
        /// The line of the decision.
        place: String,
        /// The name in the decision.
        name: String,
        /// The root of the data.
        root: PathBuf,
        /// The number of further decisions about images that the data does not have.
        others: usize,
        /// What names look like, or which image was probably meant.
        hint: String,
    },
    /// A name stands for several images.
    #[error(
        "{place} is about {}, which are several images: {}; their names are not valid UTF-8 and read the same: rename \
         them",
        quoted(name),
        listed(files.iter())
    )]
    Ambiguous {
        /// The line of the decision.
        place: String,
        /// The name in the decision.
        name: String,
        /// The images, with their bytes escaped.
        files: Vec<String>,
    },
    /// A new label cannot be used.
    #[error(
        "{place} gives {} a label that cannot be used: expected {expected}, found {found}",
        quoted(name)
    )]
    Label {
        /// The line of the decision.
        place: String,
        /// The image.
        name: String,
        /// What was expected.
        expected: String,
        /// The label.
        found: String,
    },
    /// A new label is a class that no image had.
    #[error(
        "{place} gives {} the class {}, which no image has; the classes are: {}. Correct it, or allow the new class: \
         Decisions::with_new_classes([{}]){}",
        quoted(name),
        quoted(class),
        listed(known.iter()),
        quoted(class),
        alike::note([class.as_str()], known)
    )]
    NewClass {
        /// The line of the decision.
        place: String,
        /// The image.
        name: String,
        /// The class.
        class: String,
        /// The classes that images have.
        known: Vec<String>,
    },
    /// All images of a part are excluded.
    #[error(
        "the decisions exclude all {items} {part} images: keep some of them, or split in another way"
    )]
    NothingLeft {
        /// The part: training, validation or test.
        part: &'static str,
        /// The number of its images.
        items: usize,
    },
}
