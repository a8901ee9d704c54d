//! Errors of figures.

use std::path::PathBuf;

use vision_base::message::shown;
use vision_base::{IoError, OptionError};

/// Errors of figures.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An operation of the file system failed.
    #[error(transparent)]
    Io(#[from] IoError),
    /// An option is outside its range.
    #[error(transparent)]
    Option(#[from] OptionError),
    /// The figure has no content.
    #[error("nothing to draw: {what}")]
    NothingToDraw {
        /// What is missing, and what to do about it.
        what: &'static str,
    },
    /// The figure would have too many pixels.
    #[error(
        "the figure would be {width} x {height} pixels, more than {limit} in all: draw fewer items, or use a \
         smaller cell or scale"
    )]
    TooLarge {
        /// Width in pixels.
        width: u64,
        /// Height in pixels.
        height: u64,
        /// Largest number of pixels.
        limit: u64,
    },
    /// The file name has an unsupported extension.
    #[error(
        "cannot save a figure as {}: the extension is {found:?}, expected .png or .svg",
        shown(path)
    )]
    Extension {
        /// The file.
        path: PathBuf,
        /// Its extension. Empty if there is none.
        found: String,
    },
    /// An image could not be encoded.
    #[error("cannot encode the image: {0}")]
    Encode(#[source] image::ImageError),
}

/// A result with this crate's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;
