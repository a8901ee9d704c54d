//! Decoded images.

pub(crate) mod budget;
pub(crate) mod decode;
mod decoders;
pub(crate) mod disk_cache;
pub(crate) mod error;
pub(crate) mod formats;
pub(crate) mod header;
pub(crate) mod limits;
pub(crate) mod problem;
pub(crate) mod reader;
pub(crate) mod size;

use std::fmt;
use std::path::{Path, PathBuf};

use image::RgbImage;

use crate::error::{Error, Result};
use crate::image::budget::Held;
use crate::image::decode::{How, decode_to, read};
use crate::image::error::ImageError;
use crate::image::limits::Limits;
use crate::image::problem::ImageProblem;
use crate::image::size::PixelSize;

/// An image in memory: rows of red, green and blue, 8 bits each.
///
/// Supported formats are JPEG, PNG, WebP, BMP, GIF (first frame), TIFF and PNM, detected from the
/// content, not from the extension. The pixels are those of Pillow's `convert("RGB")`, which fastai
/// trains on:
///
/// * gray is repeated in the three channels, and palettes are resolved;
/// * alpha is dropped, not blended, unless data is read with a background
///   ([`ReadConfig::with_background`](crate::ReadConfig::with_background)); only what a TIFF stores multiplied by alpha is divided by it;
/// * the upper 8 of 9 to 16 bits are kept. (Pillow does the same for color, but rounds in PNM, and clips gray
///   at 255, which turns most 16-bit images white);
/// * signed, 32-bit and floating-point gray is clipped to 0 to 255.
///
/// `docs/data.md` has a table of the kinds of each format that are read, and of those that are not.
///
/// JPEGs have exactly the pixels of libjpeg-turbo, which Pillow uses. (Compared on 2,898
/// images of 1 to 500 pixels: every quality, sampling, color space and restart interval that Pillow writes.) Two rare kinds
/// differ: scans of two of three components by 1 level of 255, and CMYK with fewer samples of some inks by up to 61 in noise.
///
/// Unlike fastai, the EXIF orientation of a photo is applied.
///
/// Files are read if all their pixels are there, although an end marker, a checksum or the like is missing or
/// wrong. If data is missing, or fails the checksum of the compressed pixels, the file is an error. The data
/// doctor lists such files, and [`BadImages::Skip`](crate::BadImages) trains without them.
///
/// ```
/// use vision_data::Image;
///
/// let image = Image::from_rgb8(2, 1, vec![255, 0, 0, 0, 0, 255])?;
/// assert_eq!((image.width(), image.height()), (2, 1));
/// assert!(Image::decode(b"no image").is_err());
/// # Ok::<(), vision_data::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Image(RgbImage);

impl Image {
    /// Reads and decodes a file, within the default [`Limits`].
    ///
    /// # Errors
    ///
    /// [`ImageError::Decode`](crate::ImageError::Decode) with the path and the problem: the file is
    /// unreadable, empty, of an unknown format, truncated, damaged, or too large.
    #[doc(alias = "open_image")]
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::open_within(path, &Limits::default())
    }

    /// Like [`open`](Self::open), with other limits.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub fn open_within(path: impl AsRef<Path>, limits: &Limits) -> Result<Self> {
        limits.check()?;
        Self::open_as(path.as_ref(), limits, How::default()).map(|image| image.value)
    }

    /// Like [`open_within`](Self::open_within), in another way.
    pub(crate) fn open_as(path: &Path, limits: &Limits, how: How) -> Result<Held<Self>> {
        read(path, limits)
            .and_then(|bytes| decode_to(&bytes, limits, how))
            .map(|image| image.map(Self))
            .map_err(|problem| {
                Error::Image(ImageError::Decode {
                    path: path.to_owned(),
                    problem,
                })
            })
    }

    /// Decodes the bytes of a complete image file, within the default [`Limits`].
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open), with "bytes in memory" as the path.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        Self::decode_within(bytes, &Limits::default())
    }

    /// Like [`decode`](Self::decode), with other limits.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open), with "bytes in memory" as the path.
    pub fn decode_within(bytes: &[u8], limits: &Limits) -> Result<Self> {
        limits.check()?;
        Self::decode_as(bytes, limits, How::default()).map(|image| image.value)
    }

    /// Like [`decode_within`](Self::decode_within), in another way.
    pub(crate) fn decode_as(bytes: &[u8], limits: &Limits, how: How) -> Result<Held<Self>> {
        let image = decode_to(bytes, limits, how).map(|image| image.map(Self));
        image.map_err(|problem| {
            Error::Image(ImageError::Decode {
                path: PathBuf::from("bytes in memory"),
                problem,
            })
        })
    }

    /// Creates an image from pixels, row by row, three bytes (red, green, blue) each.
    ///
    /// # Errors
    ///
    /// [`ImageError::PixelCount`](crate::ImageError::PixelCount) unless there are `3 · width · height` bytes,
    /// [`ImageError::Decode`](crate::ImageError::Decode) if there are no pixels.
    pub fn from_rgb8(width: u32, height: u32, pixels: Vec<u8>) -> Result<Self> {
        if width == 0 || height == 0 {
            return Err(Error::Image(ImageError::Decode {
                path: PathBuf::from("bytes in memory"),
                problem: ImageProblem::Empty,
            }));
        }
        let found = pixels.len() as u64;
        let expected = (u64::from(width) * u64::from(height)).saturating_mul(3);
        // RgbImage accepts a buffer that is too long, so the length is checked here.
        (found == expected)
            .then(|| RgbImage::from_raw(width, height, pixels))
            .flatten()
            .map(Self)
            .ok_or(Error::Image(ImageError::PixelCount {
                width,
                height,
                expected,
                found,
            }))
    }

    /// An image of this height and width from rows of red, green and blue.
    pub(crate) fn from_pixels((height, width): (usize, usize), pixels: Vec<u8>) -> Self {
        assert_eq!(pixels.len(), 3 * height * width, "three bytes per pixel");
        let image = RgbImage::from_raw(width as u32, height as u32, pixels);
        Self(image.expect("there are as many bytes as the size asks for"))
    }

    /// Width in pixels.
    pub fn width(&self) -> u32 {
        self.0.width()
    }

    /// Height in pixels.
    pub fn height(&self) -> u32 {
        self.0.height()
    }

    /// Width and height.
    pub fn size(&self) -> PixelSize {
        PixelSize {
            width: self.width(),
            height: self.height(),
        }
    }

    /// The pixels, row by row, three bytes (red, green, blue) each.
    pub fn pixels(&self) -> &[u8] {
        self.0.as_raw()
    }

    /// Borrows the image as the type of the `image` crate.
    pub fn as_rgb_image(&self) -> &RgbImage {
        &self.0
    }

    /// Copies the image to the type of the `image` crate.
    pub fn to_rgb_image(&self) -> RgbImage {
        self.0.clone()
    }

    /// Converts the image into the type of the `image` crate, without a copy.
    pub fn into_rgb_image(self) -> RgbImage {
        self.0
    }
}

impl TryFrom<RgbImage> for Image {
    type Error = Error;

    fn try_from(image: RgbImage) -> Result<Self> {
        let (width, height) = image.dimensions();
        Self::from_rgb8(width, height, image.into_raw())
    }
}

impl fmt::Debug for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Image({})", self.size())
    }
}
