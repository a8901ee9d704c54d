//! The class of each pixel of an image.

use std::fmt;
use std::path::{Path, PathBuf};

use image::{GrayImage, ImageBuffer, Luma};

use crate::error::{Error, Result};
use crate::image::decode::{Limits, decode_labels, read};
use crate::image::error::ImageError;
use crate::image::{ImageProblem, PixelSize};
use crate::pipeline::crop::Part;
use crate::pipeline::moves::{Moves, Places};
use crate::pipeline::sampling::position;
use crate::transforms::padding::PaddingMode;

/// A label for each pixel, row by row, from 0 to 65535, as a mask for segmentation has them.
///
/// A [`Pipeline`](crate::Pipeline) moves it as it moves the image, by the nearest neighbour, so that no
/// label appears that was not there; where black is beyond the edge of an image it is 0.
///
/// ```
/// use vision_data::Mask;
///
/// let mask = Mask::from_labels(3, 1, vec![0, 7, 7])?;
/// assert_eq!((mask.width(), mask.height(), mask.labels()), (3, 1, &[0, 7, 7][..]));
/// # Ok::<(), vision_data::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Mask {
    width: usize,
    height: usize,
    labels: Vec<u16>,
}

impl Mask {
    /// Reads the values of a grey picture, of 8 or 16 bits, as they are, within the default
    /// [`Limits`]: what fastai calls `open_image(f, div=False, convert_mode="I")`. The orientation in its
    /// EXIF data is applied, as to the image it belongs to.
    ///
    /// ```
    /// use image::{ImageBuffer, Luma};
    /// use vision_data::Mask;
    ///
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path().join("mask.png");
    /// ImageBuffer::<Luma<u16>, _>::from_raw(2, 1, vec![7, 4000]).unwrap().save(&path).unwrap();
    /// assert_eq!(Mask::open(&path)?.labels(), [7, 4000]);
    /// # Ok::<(), vision_data::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`ImageError::Decode`](crate::ImageError::Decode) as [`Image::open`](crate::Image::open), and for a picture with colours.
    #[doc(alias = "open_mask")]
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let (path, limits) = (path.as_ref(), Limits::default());
        let (width, height, labels) = read(path, &limits)
            .and_then(|bytes| decode_labels(&bytes, &limits))
            .map_err(|problem| {
                Error::Image(ImageError::Decode {
                    path: path.to_owned(),
                    problem,
                })
            })?;
        Self::from_labels(width, height, labels)
    }

    /// Takes labels row by row.
    ///
    /// # Errors
    ///
    /// [`ImageError::LabelCount`](crate::ImageError::LabelCount) if there are not `width · height` of them, [`ImageError::Decode`](crate::ImageError::Decode) if there is
    /// no pixel at all.
    pub fn from_labels(width: u32, height: u32, labels: Vec<u16>) -> Result<Self> {
        if width == 0 || height == 0 {
            return Err(Error::Image(ImageError::Decode {
                path: PathBuf::from("a mask in memory"),
                problem: ImageProblem::Empty,
            }));
        }
        let (expected, found) = (u64::from(width) * u64::from(height), labels.len() as u64);
        if expected != found {
            return Err(Error::Image(ImageError::LabelCount {
                width,
                height,
                expected,
                found,
            }));
        }
        Ok(Self {
            width: width as usize,
            height: height as usize,
            labels,
        })
    }

    /// Pixels in a row.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Rows.
    pub fn height(&self) -> usize {
        self.height
    }

    /// Row by row.
    pub fn labels(&self) -> &[u16] {
        &self.labels
    }

    /// The labels at the places of `moves`: `grid_sample(mode="nearest", align_corners=True)`.
    pub(crate) fn moved(&self, moves: &Moves, padding: PaddingMode) -> Self {
        let (rows, cols) = (moves.window.image_rows(), moves.window.image_cols());
        let (height, width) = moves.grid;
        let index = |coordinate: f64, n: usize| {
            let at = (coordinate + 1.0) / 2.0 * (n - 1) as f64;
            padding.index(at.round_ties_even() as i64, n)
        };
        let label = |(x, y)| match (index(y, self.height), index(x, self.width)) {
            (Some(row), Some(col)) => self.labels[row * self.width + col],
            _ => 0,
        };
        let labels = match moves.places(&rows, &cols) {
            Places::Points(points, _) => points.into_iter().map(label).collect(),
            Places::Map(map) => {
                let x = |&col: &usize| position(col, width);
                let line = |&row: &usize| {
                    let y = position(row, height);
                    cols.iter().map(move |col| map.apply(x(col), y))
                };
                rows.iter().flat_map(line).map(label).collect()
            }
        };
        let (height, width) = moves.size();
        Self {
            height,
            width,
            labels: moves.window.arrange(labels, 1),
        }
    }

    /// Resized as Pillow does to the nearest neighbour.
    pub(crate) fn resized(&self, part: &Part) -> Self {
        let from = |i: usize, to: usize, have: usize| (2 * i + 1) * have / (2 * to);
        let Part {
            source,
            size,
            window,
        } = part;
        let mut labels = Vec::with_capacity(window.height * window.width);
        for row in window.top..window.top + window.height {
            let row = source.top + from(row, size.0, source.height);
            labels.extend((window.left..window.left + window.width).map(|col| {
                let col = source.left + from(col, size.1, source.width);
                self.labels[row * self.width + col]
            }));
        }
        Self {
            height: window.height,
            width: window.width,
            labels,
        }
    }

    /// Of labels that are known to be as many as there are pixels.
    pub(crate) fn with_labels(self, labels: impl FnOnce(Vec<u16>) -> Vec<u16>) -> Self {
        Self {
            labels: labels(self.labels),
            ..self
        }
    }
}

impl TryFrom<GrayImage> for Mask {
    type Error = Error;

    fn try_from(image: GrayImage) -> Result<Self> {
        let (width, height) = image.dimensions();
        let labels = image.into_raw().into_iter().map(u16::from).collect();
        Self::from_labels(width, height, labels)
    }
}

impl TryFrom<ImageBuffer<Luma<u16>, Vec<u16>>> for Mask {
    type Error = Error;

    fn try_from(image: ImageBuffer<Luma<u16>, Vec<u16>>) -> Result<Self> {
        let (width, height) = image.dimensions();
        Self::from_labels(width, height, image.into_raw())
    }
}

impl fmt::Debug for Mask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let size = PixelSize {
            width: self.width as u32,
            height: self.height as u32,
        };
        write!(f, "Mask({size})")
    }
}
