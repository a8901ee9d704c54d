//! What is wrong with an image that cannot be used.

use thiserror::Error;

/// What is wrong with an image.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ImageProblem {
    /// The file cannot be read.
    #[error("it cannot be read: {0}")]
    Unreadable(String),
    /// The file has no byte, or the image no pixel.
    #[error("it is empty")]
    Empty,
    /// The content begins like no format that is read here.
    #[error(
        "it begins with {found}, which is none of JPEG, PNG, WebP, BMP, GIF, TIFF and PNM (PBM, PGM, \
         PPM); the content counts, not the extension"
    )]
    UnknownFormat {
        /// The first bytes.
        found: String,
    },
    /// The image has, or claims to have, too many pixels.
    #[error("it claims {width}x{height} pixels, more than the limit of {limit}")]
    TooManyPixels {
        /// Pixels in a row.
        width: u32,
        /// Rows.
        height: u32,
        /// The limit on their product.
        limit: u64,
    },
    /// The file is too long, or its pixels would take too much memory.
    #[error("it takes more than the limit of {limit} bytes")]
    TooManyBytes {
        /// The limit.
        limit: u64,
    },
    /// The file ends too early.
    #[error("it is truncated: {0}")]
    Truncated(String),
    /// The format is known, this variety of it is not.
    #[error("it is of an unsupported kind: {0}")]
    Unsupported(String),
    /// The content breaks the rules of its format.
    #[error("it is damaged: {0}")]
    Damaged(String),
    /// The decoder panicked.
    #[error("its decoder failed: {0}")]
    DecoderPanic(String),
}
