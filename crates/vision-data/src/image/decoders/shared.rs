//! What the decoders have in common.

use std::io;

use image::error::{ImageError, UnsupportedErrorKind};
use image::{DynamicImage, ImageDecoder};

use crate::image::budget::Permit;
use crate::image::limits::Limits;
use crate::image::problem::ImageProblem;

/// Advice for pixel formats that are not supported.
pub(crate) const CONVERT: &str =
    "convert it to RGB or gray with 8 bits per channel, for example as PNG";

/// Bytes of an image as red, green and blue.
pub(crate) fn rgb_bytes(width: u32, height: u32) -> u64 {
    (u64::from(width) * u64::from(height)).saturating_mul(3)
}

/// A pixel over a background, rounded as Pillow's `paste` rounds.
pub(crate) fn over(pixel: [u8; 3], alpha: u8, background: [u8; 3]) -> [u8; 3] {
    let alpha = u32::from(alpha);
    std::array::from_fn(|channel| {
        let (front, back) = (u32::from(pixel[channel]), u32::from(background[channel]));
        let sum = front * alpha + back * (255 - alpha) + 128;
        (((sum >> 8) + sum) >> 8) as u8
    })
}

/// Decodes the pixels.
pub(crate) fn from_decoder(
    decoder: impl ImageDecoder,
    limits: &Limits,
) -> Result<DynamicImage, ImageProblem> {
    DynamicImage::from_decoder(decoder).map_err(|e| problem(&e, limits))
}

/// Checks the claims of a header before memory is taken for them, and waits until others leave enough. `bytes`
/// is what decoding takes. The decoders apply no limit of their own, or ignore it (image#3081).
pub(crate) fn admit(
    limits: &Limits,
    width: u32,
    height: u32,
    bytes: u64,
) -> Result<Permit, ImageProblem> {
    if width == 0 || height == 0 {
        return Err(ImageProblem::Empty);
    }
    if u64::from(width) * u64::from(height) > limits.max_pixels {
        return Err(ImageProblem::TooManyPixels {
            width,
            height,
            limit: limits.max_pixels,
        });
    }
    if bytes > limits.max_bytes {
        return Err(ImageProblem::TooManyBytes {
            limit: limits.max_bytes,
        });
    }
    Ok(Permit::take(bytes, limits.max_memory))
}

/// What an error of a decoder says about the file.
pub(crate) fn problem(error: &ImageError, limits: &Limits) -> ImageProblem {
    let text = error.to_string();
    let too_many = ImageProblem::TooManyBytes {
        limit: limits.max_bytes,
    };
    match error {
        ImageError::Unsupported(error) => match error.kind() {
            // The byte count of the pixels does not fit into 64 bits.
            UnsupportedErrorKind::GenericFeature(what) if what.contains("too large") => too_many,
            _ => ImageProblem::Unsupported(format!("{text}; {CONVERT}")),
        },
        ImageError::Limits(_) => too_many,
        ImageError::IoError(e) if e.kind() == io::ErrorKind::UnexpectedEof => {
            ImageProblem::Truncated(text)
        }
        _ => ImageProblem::Damaged(text),
    }
}
