//! The reasons why an image cannot be used.

use thiserror::Error;

/// The reason why an image cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ImageProblem {
    /// The file cannot be read.
    #[error("it cannot be read: {0}")]
    Unreadable(String),
    /// The source of the image cannot be reached, which is not the image's fault: it is never skipped.
    #[error("it cannot be had now: {0}")]
    Unavailable(String),
    /// The file has no bytes, or the image has no pixels.
    #[error("it is empty")]
    Empty,
    /// The content does not start like any supported format.
    #[error(
        "it begins with {found}: expected JPEG, PNG, WebP, BMP, GIF, TIFF or PNM (PBM, PGM, PPM); the content \
         decides, not the extension"
    )]
    UnknownFormat {
        /// The first bytes.
        found: String,
    },
    /// The image has, or claims to have, too many pixels.
    #[error("it claims {width}x{height} pixels, more than the limit of {limit}")]
    TooManyPixels {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
        /// The limit on width times height.
        limit: u64,
    },
    /// The file is too large, or its pixels would take too much memory.
    #[error("it needs more than the limit of {limit} bytes")]
    TooManyBytes {
        /// The limit.
        limit: u64,
    },
    /// The file ends too early.
    #[error("it is truncated: {0}")]
    Truncated(String),
    /// The format is supported, but this variant of it is not.
    #[error("it is an unsupported variant of its format: {0}")]
    Unsupported(String),
    /// The content violates the rules of its format.
    #[error("it is damaged: {0}")]
    Damaged(String),
    /// The decoder panicked.
    #[error("its decoder failed: {0}")]
    DecoderPanic(String),
}
