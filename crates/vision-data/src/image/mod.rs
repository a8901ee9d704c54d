//! A decoded picture.

pub(crate) mod decode;
pub(crate) mod disk_cache;
pub(crate) mod error;
pub(crate) mod formats;
pub(crate) mod header;
pub(crate) mod limits;
pub(crate) mod problem;
pub(crate) mod reader;
pub(crate) mod reduced_jpeg;
pub(crate) mod size;

use std::fmt;
use std::path::{Path, PathBuf};

use image::RgbImage;

use crate::error::{Error, Result};
use crate::image::decode::{decode, decode_to, read};
use crate::image::error::ImageError;
use crate::image::limits::Limits;
use crate::image::problem::ImageProblem;
use crate::image::size::PixelSize;

/// A picture in memory: rows of red, green and blue, 8 bits each.
///
/// JPEG, PNG, WebP, BMP, GIF (its first frame), TIFF and PNM are read; the content decides, not the
/// extension. The pixels are those of Pillow's `convert("RGB")`, which is what fastai trains on:
///
/// * grey is repeated in the three channels, palettes are looked up;
/// * alpha is dropped, not blended;
/// * of 16 bits the upper 8 are kept. (Pillow does so for colour, but rounds in PNM, and for grey cuts
///   off at 255, which turns most 16-bit pictures white.)
///
/// JPEGs come within 3 levels of 255 of Pillow's, and within 14 where their colours are stored at half
/// the size (0.2 to 0.5 on average). Of the latter the last column differs by more, up to 9 in smooth
/// pictures and 50 in noise, where the width is even and no multiple of 16; and so do pictures of up to 4
/// pixels across, up to 96. (Noise and gradients of 1 to 224 pixels at quality 85, Pillow 12; the decoder
/// takes the colour beyond the edge where libjpeg repeats the last one.)
///
/// Unlike fastai, the orientation in a photo's EXIF data is applied: people are upright.
///
/// A first frame of a GIF that is smaller than the screen of the GIF has black around it, where Pillow has
/// the background colour.
///
/// Three kinds of damaged files are errors here and none for Pillow, which reads what it can: a PNG
/// without its last chunk (IEND), or with a wrong checksum in its pixels, and a JPEG without its end marker
/// that ends in zeros instead. Whether their pixels are all there is not looked at. The data doctor lists
/// them, [`BadImages::Skip`](crate::BadImages) trains without them, and Pillow's `Image.open(f).save(g)` mends
/// one.
///
/// ```
/// use vision_data::Image;
///
/// let image = Image::from_rgb8(2, 1, vec![255, 0, 0, 0, 0, 255])?;
/// assert_eq!((image.width(), image.height()), (2, 1));
/// assert!(Image::decode(b"no picture").is_err());
/// # Ok::<(), vision_data::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Image(RgbImage);

impl Image {
    /// Reads and decodes a file, within the default [`Limits`].
    ///
    /// # Errors
    ///
    /// [`ImageError::Decode`](crate::ImageError::Decode) with the path and what is wrong: not readable, empty, of an unknown
    /// format, truncated, damaged, or too large.
    #[doc(alias = "open_image")]
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::open_within(path, &Limits::default())
    }

    /// As [`open`](Self::open), within other limits.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub fn open_within(path: impl AsRef<Path>, limits: &Limits) -> Result<Self> {
        Self::open_reduced(path.as_ref(), limits, None)
    }

    /// As [`open_within`](Self::open_within), large JPEGs reduced to no less than twice `side`.
    pub(crate) fn open_reduced(path: &Path, limits: &Limits, side: Option<u32>) -> Result<Self> {
        read(path, limits)
            .and_then(|bytes| decode_to(&bytes, limits, side))
            .map(Self)
            .map_err(|problem| {
                Error::Image(ImageError::Decode {
                    path: path.to_owned(),
                    problem,
                })
            })
    }

    /// Decodes a whole file that is in memory, within the default [`Limits`].
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open), with "bytes in memory" for a path.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        Self::decode_within(bytes, &Limits::default())
    }

    /// As [`decode`](Self::decode), within other limits.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open), with "bytes in memory" for a path.
    pub fn decode_within(bytes: &[u8], limits: &Limits) -> Result<Self> {
        decode(bytes, limits).map(Self).map_err(|problem| {
            Error::Image(ImageError::Decode {
                path: PathBuf::from("bytes in memory"),
                problem,
            })
        })
    }

    /// Takes pixels row by row, three bytes (red, green, blue) each.
    ///
    /// # Errors
    ///
    /// [`ImageError::PixelCount`](crate::ImageError::PixelCount) if there are not `3 · width · height` bytes,
    /// [`ImageError::Decode`](crate::ImageError::Decode) if there is no pixel at all.
    pub fn from_rgb8(width: u32, height: u32, pixels: Vec<u8>) -> Result<Self> {
        if width == 0 || height == 0 {
            return Err(Error::Image(ImageError::Decode {
                path: PathBuf::from("bytes in memory"),
                problem: ImageProblem::Empty,
            }));
        }
        let found = pixels.len() as u64;
        let expected = (u64::from(width) * u64::from(height)).saturating_mul(3);
        // RgbImage takes a buffer that is too long, so the length is checked here.
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

    /// Rows of red, green and blue of this height and width.
    pub(crate) fn from_pixels((height, width): (usize, usize), pixels: Vec<u8>) -> Self {
        assert_eq!(pixels.len(), 3 * height * width, "three bytes a pixel");
        let image = RgbImage::from_raw(width as u32, height as u32, pixels);
        Self(image.expect("there are as many bytes as the size asks for"))
    }

    /// Pixels in a row.
    pub fn width(&self) -> u32 {
        self.0.width()
    }

    /// Rows.
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

    /// The pixels row by row, three bytes each.
    pub fn pixels(&self) -> &[u8] {
        self.0.as_raw()
    }

    /// As the type of the `image` crate.
    pub fn as_rgb_image(&self) -> &RgbImage {
        &self.0
    }

    /// A copy as the type of the `image` crate.
    pub fn to_rgb_image(&self) -> RgbImage {
        self.0.clone()
    }

    /// The type of the `image` crate.
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
