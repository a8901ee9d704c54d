//! What can be wrong with an image.

use std::path::PathBuf;

use vision_base::message::shown;

use crate::image::problem::ImageProblem;
use crate::image::size::PixelSize;

/// What can be wrong with an image.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImageError {
    /// A file that should be a picture cannot be used as one.
    #[error("cannot use the image {}: {}", shown(path), shown(problem.to_string()))]
    Decode {
        /// The file, or "bytes in memory".
        path: PathBuf,
        /// What is wrong with it.
        problem: ImageProblem,
    },
    /// The number of bytes does not fit the size of the picture.
    #[error("an RGB image of {width}x{height} has {expected} bytes, found {found}")]
    PixelCount {
        /// Pixels in a row.
        width: u32,
        /// Rows.
        height: u32,
        /// Three bytes a pixel.
        expected: u64,
        /// The bytes that were given.
        found: u64,
    },
    /// Images of different sizes cannot be in one batch.
    #[error(
        "images have different sizes: {} is {first_size}, {} is {second_size}; {hint}, so that they \
         fit in one batch",
        shown(first),
        shown(second)
    )]
    SizesDiffer {
        /// The first item of the batch.
        first: PathBuf,
        /// Its size after the transforms.
        first_size: PixelSize,
        /// The first one that differs.
        second: PathBuf,
        /// Its size after the transforms.
        second_size: PixelSize,
        /// What to do about it.
        hint: &'static str,
    },
}
