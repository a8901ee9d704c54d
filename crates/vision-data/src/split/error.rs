//! What can be wrong with a split.

use std::path::PathBuf;

use vision_base::message::{quoted, shown};

/// What can be wrong with a split.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SplitError {
    /// A list of validation files names some that are not among the items.
    #[error(
        "{} names {count} file(s) that are not among the items in {}, the first is {}: \
         expected the name of a file, or its path under that folder",
        shown(list),
        shown(folder),
        quoted(first)
    )]
    UnknownFiles {
        /// The list.
        list: PathBuf,
        /// The first of them.
        first: String,
        /// How many.
        count: usize,
        /// The root of the items.
        folder: PathBuf,
    },
    /// An image is in two parts of the data.
    #[error(
        "{count} image(s) are both {} and {} images, the first is {}: what is measured on them says \
         nothing, since they are trained on; name each file once, or choose folders that share none",
        parts[0], parts[1], shown(first)
    )]
    OnBothSides {
        /// The parts: training, validation, test.
        parts: [&'static str; 2],
        /// The first of them.
        first: PathBuf,
        /// How many there are.
        count: usize,
    },
    /// A split leaves one side empty.
    #[error("{split} of {items} image(s) leaves no {part} image: {hint}")]
    Empty {
        /// The split that was asked for.
        split: String,
        /// The images there are.
        items: usize,
        /// The side that is empty.
        part: &'static str,
        /// What to do about it.
        hint: &'static str,
    },
}
