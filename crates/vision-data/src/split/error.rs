//! Errors of a split.

use std::path::PathBuf;

use vision_base::message::{quoted, shown};

/// An error of a split.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SplitError {
    /// A list of validation files names files that are not among the items.
    #[error(
        "{} names {count} file(s) that are not among the items in {}, the first is {}: \
         expected the name of a file, or its path under that folder{}",
        shown(list),
        shown(folder),
        quoted(first),
        alike.as_ref().map_or_else(String::new, |alike| format!(". Note that {alike}"))
    )]
    UnknownFiles {
        /// The file that holds the list.
        list: PathBuf,
        /// The first of the unknown files.
        first: String,
        /// The number of unknown files.
        count: usize,
        /// The root of the items.
        folder: PathBuf,
        /// An item whose name prints like that of the file, or differs from it by blanks or case.
        alike: Option<String>,
    },
    /// An image is in two parts of the data.
    #[error(
        "{count} image(s) are both {} and {} images, the first is {}: the model would be validated on images it was \
         trained on; name each file once, or choose folders that share none",
        parts[0], parts[1], shown(first)
    )]
    OnBothSides {
        /// The two parts: training, validation, test.
        parts: [&'static str; 2],
        /// The first shared image.
        first: PathBuf,
        /// The number of shared images.
        count: usize,
    },
    /// A split leaves a part empty.
    #[error("{split} of {items} image(s) leaves no {part} image: {hint}")]
    Empty {
        /// The requested split.
        split: String,
        /// The number of images.
        items: usize,
        /// The empty part.
        part: &'static str,
        /// What to do about it.
        hint: &'static str,
    },
}
