//! Image sizes, and resize methods.

use std::fmt;

use serde::de::{self, IgnoredAny, SeqAccess, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use vision_base::OptionError;

use crate::error::Error;
use crate::transforms::padding::PaddingMode;

/// The size of every image. Created from a number (`224`) or `(height, width)`.
///
/// The form decides the default [`ResizeMethod`]: a number crops, a pair squishes.
///
/// ```
/// use vision_data::{ResizeMethod, Size};
///
/// assert_eq!(Size::from(224).height_width(), (224, 224));
/// assert_eq!(Size::from(224).default_method(), ResizeMethod::Crop);
/// assert_eq!(Size::from((14, 20)).height_width(), (14, 20));
/// assert_eq!(Size::from((14, 20)).default_method(), ResizeMethod::Squish);
/// ```
///
/// A string is not a size:
///
/// ```compile_fail,E0277
/// # use vision_data::ImageDataBunch;
/// ImageDataBunch::from_folder("pets").size("224");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Size {
    /// A square.
    Square(usize),
    /// Height and width.
    Exact(usize, usize),
}

impl Size {
    /// The largest allowed side. Guards against typos that would take terabytes.
    pub const MAX_SIDE: usize = 1 << 14;

    /// Height and width in pixels.
    pub fn height_width(self) -> (usize, usize) {
        match self {
            Self::Square(side) => (side, side),
            Self::Exact(height, width) => (height, width),
        }
    }

    /// The resize method if none is given.
    pub fn default_method(self) -> ResizeMethod {
        match self {
            Self::Square(_) => ResizeMethod::Crop,
            Self::Exact(..) => ResizeMethod::Squish,
        }
    }

    /// Whether both sides are from 1 to [`MAX_SIDE`](Self::MAX_SIDE).
    pub(crate) fn is_valid(self) -> bool {
        let (height, width) = self.height_width();
        let sides = 1..=Self::MAX_SIDE;
        sides.contains(&height) && sides.contains(&width)
    }

    pub(crate) fn check(self) -> crate::error::Result<()> {
        if self.is_valid() {
            return Ok(());
        }
        let (height, width) = self.height_width();
        Err(Error::Option(OptionError::new(
            "size",
            "sides of 1 to 16384 pixels",
            format!("{height}x{width}"),
        )))
    }
}

/// Written by hand, because serde's errors for an untagged enum do not tell what was expected and found.
impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(SizeVisitor)
    }
}

struct SizeVisitor;

impl<'de> Visitor<'de> for SizeVisitor {
    type Value = Size;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a side, or [height, width], of 1 to 16384 pixels")
    }

    fn visit_u64<E: de::Error>(self, side: u64) -> Result<Size, E> {
        let found = Unexpected::Unsigned(side);
        let side = usize::try_from(side).map_err(|_| E::invalid_value(found, &self))?;
        Ok(Size::Square(side))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sides: A) -> Result<Size, A::Error> {
        let mut both = [0; 2];
        for (at, side) in both.iter_mut().enumerate() {
            *side = match sides.next_element()? {
                Some(Size::Square(side)) => side,
                Some(Size::Exact(..)) => {
                    return Err(de::Error::invalid_value(Unexpected::Seq, &self));
                }
                None => return Err(de::Error::invalid_length(at, &self)),
            };
        }
        match sides.next_element::<IgnoredAny>()? {
            None => Ok(Size::Exact(both[0], both[1])),
            Some(_) => Err(de::Error::invalid_length(3, &self)),
        }
    }
}

impl From<usize> for Size {
    fn from(side: usize) -> Self {
        Self::Square(side)
    }
}

impl From<(usize, usize)> for Size {
    fn from((height, width): (usize, usize)) -> Self {
        Self::Exact(height, width)
    }
}

/// How an image is resized to a size with another aspect ratio.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResizeMethod {
    /// Keeps the aspect ratio: resizes until the shorter side fits, and crops the longer side.
    Crop,
    /// Keeps the aspect ratio: resizes until the longer side fits, and pads the shorter side, by default
    /// with the reflected image.
    Pad,
    /// Does not keep the aspect ratio.
    Squish,
    /// Does not resize: transforms determine the size, such as
    /// [`rand_pad`](crate::presets::rand_pad).
    No,
}

impl ResizeMethod {
    /// Whether the image is cropped or padded after resizing.
    pub(crate) fn crops(self) -> bool {
        matches!(self, Self::Crop | Self::Pad)
    }

    /// Height and width after resizing and before cropping or padding.
    pub(crate) fn resized(self, source: (usize, usize), target: (usize, usize)) -> (usize, usize) {
        let (height, width) = (source.0 as f64, source.1 as f64);
        let (rows, columns) = (height / target.0 as f64, width / target.1 as f64);
        let ratio = match self {
            Self::No => return source,
            Self::Squish => return target,
            Self::Crop => rows.min(columns),
            Self::Pad => rows.max(columns),
        };
        // Python's rounding, half to even. A very long image padded to a square would have no row left;
        // fastai fails there.
        let side = |length: f64| ((length / ratio).round_ties_even() as usize).max(1);
        (side(height), side(width))
    }
}

/// One axis of cropping and padding.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cut {
    have: usize,
    /// The index of the first pixel taken; negative indices are padding.
    first: i64,
    padding: PaddingMode,
}

impl Cut {
    /// Takes `want` of `have` pixels. Missing pixels are padded on both sides. `part` in `[0, 1]`
    /// is the position of the pixels kept.
    pub(crate) fn new(have: usize, want: usize, part: f64, padding: PaddingMode) -> Self {
        let (pad, spare) = if have == want {
            (0, 0)
        } else {
            let pad = (want + 1).saturating_sub(have) / 2;
            (pad, (have + 2 * pad + 1).saturating_sub(want))
        };
        // A part of 1 is the last position, not one past it.
        let start = (spare as f64 * part.min(1.0 - 1e-7)) as i64;
        Self {
            have,
            first: start - pad as i64,
            padding,
        }
    }

    /// Takes all pixels, and `pixels` more on both sides.
    pub(crate) fn around(have: usize, pixels: usize, padding: PaddingMode) -> Self {
        Self {
            have,
            first: -(pixels as i64),
            padding,
        }
    }

    /// The index of the i-th pixel taken; `None` where it is black.
    pub(crate) fn place(&self, i: usize) -> Option<usize> {
        self.padding.index(self.first + i as i64, self.have)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// With reflection, where every index is a pixel of the image.
    fn reflected(have: usize, want: usize, part: f64) -> Vec<usize> {
        let cut = Cut::new(have, want, part, PaddingMode::Reflection);
        (0..want).filter_map(|i| cut.place(i)).collect()
    }

    #[test]
    fn fastais_example_of_100_by_200_to_50() {
        assert_eq!(ResizeMethod::Crop.resized((100, 200), (50, 50)), (50, 100));
        assert_eq!(reflected(100, 50, 0.5).first(), Some(&25));
        assert_eq!(ResizeMethod::Pad.resized((100, 200), (50, 50)), (25, 50));
        // 13 rows of padding on both sides, and the crop starts at row 1: 12 of them are used.
        let rows = reflected(25, 50, 0.5);
        assert_eq!((rows[0], rows[11], rows[12], rows[49]), (12, 1, 0, 12 - 1));
        assert_eq!(ResizeMethod::Squish.resized((100, 200), (50, 50)), (50, 50));
    }

    #[test]
    fn halves_are_rounded_to_the_even_side_as_python_does() {
        // 5 · 10/20 = 2.5 and 7 · 10/20 = 3.5.
        assert_eq!(ResizeMethod::Pad.resized((5, 20), (10, 10)), (2, 10));
        assert_eq!(ResizeMethod::Pad.resized((7, 20), (10, 10)), (4, 10));
    }

    #[test]
    fn crop_positions_are_fastais_truncations() {
        // fastai's own test: size 4 of 5 at 0, .5 and .99.
        assert_eq!(reflected(5, 4, 0.0), [0, 1, 2, 3]);
        assert_eq!(reflected(5, 4, 0.5), [1, 2, 3, 4]);
        assert_eq!(reflected(5, 4, 0.99), [1, 2, 3, 4]);
        assert_eq!(reflected(5, 4, 1.0), [1, 2, 3, 4]);
    }

    #[test]
    fn reflection_goes_on_for_images_shorter_than_the_padding() {
        assert_eq!(reflected(3, 11, 0.5), [0, 1, 2, 1, 0, 1, 2, 1, 0, 1, 2]);
        assert_eq!(reflected(1, 4, 0.5), [0, 0, 0, 0]);
        assert_eq!(reflected(2, 6, 0.0), [0, 1, 0, 1, 0, 1]);
    }

    #[test]
    fn other_padding_repeats_the_edge_or_is_black() {
        let places = |padding| -> Vec<Option<usize>> {
            let cut = Cut::new(2, 5, 0.5, padding);
            (0..5).map(|i| cut.place(i)).collect()
        };
        // A pad of (5 - 2 + 1) / 2 = 2 on both sides makes 6; the crop starts at 2 · 0.5 = 1.
        assert_eq!(
            places(PaddingMode::Border),
            [0, 0, 1, 1, 1].map(Some).to_vec()
        );
        assert_eq!(
            places(PaddingMode::Zeros),
            [None, Some(0), Some(1), None, None]
        );
    }

    #[test]
    fn a_long_thin_image_keeps_at_least_one_row() {
        assert_eq!(ResizeMethod::Pad.resized((1, 20_000), (224, 224)), (1, 224));
    }
}
