//! Image errors.

use std::path::PathBuf;

use vision_base::message::shown;

use crate::image::problem::ImageProblem;
use crate::image::size::PixelSize;

/// An error about an image.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImageError {
    /// A file that should be an image cannot be decoded.
    #[error("cannot use the image {}: {}", shown(path), shown(problem.to_string()))]
    Decode {
        /// The file, or "bytes in memory".
        path: PathBuf,
        /// What is wrong with it.
        problem: ImageProblem,
    },
    /// The number of bytes does not match the size of the image.
    #[error("an RGB image of {width}x{height} has {expected} bytes, found {found}")]
    PixelCount {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
        /// The expected number of bytes: three per pixel.
        expected: u64,
        /// The number of bytes given.
        found: u64,
    },
    /// The images of a batch have different sizes.
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
        /// How to fix it.
        hint: &'static str,
    },
}
