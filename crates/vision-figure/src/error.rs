//! The error of this crate.

use std::path::PathBuf;

use vision_base::message::shown;
use vision_base::{IoError, OptionError};

/// What can go wrong in this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused something.
    #[error(transparent)]
    Io(#[from] IoError),
    /// An option is outside its range.
    #[error(transparent)]
    Option(#[from] OptionError),
    /// A figure without content.
    #[error("nothing to draw: {what}")]
    NothingToDraw {
        /// What is missing, and what to do.
        what: &'static str,
    },
    /// More pixels than a figure should have.
    #[error(
        "the figure would be {width} x {height} pixels, more than {limit} in all: draw fewer \
         items, or choose a smaller cell or scale"
    )]
    TooLarge {
        /// Width in pixels.
        width: u64,
        /// Height in pixels.
        height: u64,
        /// Largest number of pixels.
        limit: u64,
    },
    /// The file name does not say which format is meant.
    #[error(
        "cannot save a figure as {}: the extension is {found:?}, expected .png or .svg",
        shown(path)
    )]
    Extension {
        /// The file.
        path: PathBuf,
        /// Its extension, empty if there is none.
        found: String,
    },
    /// A picture could not be encoded.
    #[error("cannot encode the picture: {0}")]
    Encode(#[source] image::ImageError),
}

/// A result with this crate's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;
