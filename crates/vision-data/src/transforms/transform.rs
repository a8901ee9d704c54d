//! One change of an image, as data.

use serde::{Deserialize, Serialize};

use crate::transforms::bounds::Bounds;
use crate::transforms::padding::PaddingMode;
use crate::transforms::size::Size;

/// One random change of an image. `p` is the probability that it happens; each [`Bounds`] is the
/// range of a number that is drawn anew every time.
///
/// The functions of the same names have fastai's defaults, and happen always unless
/// [`with_p`](Self::with_p) says otherwise:
///
/// ```
/// use vision_data::Transform;
///
/// let turn = Transform::rotate(-30.0..=30.0).with_p(0.75);
/// assert_eq!(turn, Transform::Rotate { degrees: [-30.0, 30.0].into(), p: 0.75 });
/// ```
///
/// In whatever order they are listed, they are applied in the order of fastai:
///
/// | order | transforms |
/// |---|---|
/// | -20 | `RandomResizedCrop`, `ResizeCenterCrop` |
/// | -10 | `Pad` |
/// | 4 | moves of coordinates: the warps, `Tilt`, `Skew`, `Jitter`, `ZoomSquish` |
/// | 5 | affine moves: `Rotate`, `Zoom`, `Squish`, `FlipAffine`, `DihedralAffine` |
/// | 8 | `Brightness`, `Contrast` |
/// | 10 | pixels: `FlipLr`, `Dihedral`, `Crop`, `RgbRandomize` |
/// | 20 | `Cutout` |
/// | 99 | `CropPad` |
/// | 100 | `RandAugment`, `TrivialAugment` |
///
/// A magnitude is in coordinates that run from -1 to 1 across the image. Parts (`row`, `col`) run
/// from 0 (top, left) to 1 (bottom, right).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Transform {
    /// Cuts out a part of random size and shape and resizes it to the size wanted, as torchvision's
    /// `RandomResizedCrop` does, and fastai's `presize`: Pillow's bilinear filter, which weighs all
    /// pixels that it makes smaller. For training. Needs a size.
    RandomResizedCrop {
        /// Bounds of the part of the area, within 0 (excluded) and 1.
        scale: Bounds,
        /// Bounds of width over height; its logarithm is uniform.
        ratio: Bounds,
    },
    /// Resizes until the shorter side has `extra` pixels more than wanted, and cuts out the centre,
    /// as torchvision's `Resize` and `CenterCrop` do: what goes with
    /// [`RandomResizedCrop`](Self::RandomResizedCrop) when validating. Needs a size.
    ResizeCenterCrop {
        /// Pixels; 32 in fastai's `presize`.
        extra: u32,
    },
    /// Adds pixels on all four sides. Where the image is moved too, what was padded is
    /// rounded to 8 bits first.
    Pad {
        /// On each side.
        pixels: u32,
        /// What they are.
        mode: PaddingMode,
    },
    /// A perspective warp that keeps opposite sides alike, by a magnitude for each of four sides.
    SymmetricWarp {
        /// Within -0.5 and 0.5.
        magnitude: [Bounds; 4],
        /// Probability.
        p: f64,
    },
    /// A perspective warp that moves the four corners in x and y by eight magnitudes.
    PerspectiveWarp {
        /// Within -0.5 and 0.5: x and y of the corners at the upper left, lower left, upper right
        /// and lower right.
        magnitude: [Bounds; 8],
        /// Probability.
        p: f64,
    },
    /// Tilts the picture plane: one side grows or shrinks.
    Tilt {
        /// Which side: 0 right, 1 left, 2 bottom, 3 top.
        direction: Bounds<u32>,
        /// Within -0.5 and 0.5.
        magnitude: Bounds,
        /// Probability.
        p: f64,
    },
    /// Moves one corner in x or y.
    Skew {
        /// Which, from 0 to 7: upper left in x and in y, lower left in x and in y, upper right in x
        /// and in y, lower right in x and in y.
        direction: Bounds<u32>,
        /// Within -0.5 and 0.5.
        magnitude: Bounds,
        /// Probability.
        p: f64,
    },
    /// Takes each pixel from a random place nearby.
    Jitter {
        /// The largest distance in x and in y, within 0 and 1.
        magnitude: Bounds,
        /// Probability.
        p: f64,
    },
    /// Zooms and changes the aspect ratio, within the image; part of fastai's
    /// [`rand_resize_crop`](crate::presets::rand_resize_crop). Eight pairs of scale and squish are
    /// tried; if none of them fits, the largest centred square is taken.
    ZoomSquish {
        /// The image's area over the area shown, at least 1.
        scale: Bounds,
        /// Width over height of what is shown, or height over width, each as likely.
        squish: Bounds,
        /// What part stays.
        row: Bounds,
        /// What part stays.
        col: Bounds,
        /// Probability.
        p: f64,
    },
    /// Turns about the centre; positive angles are counter-clockwise.
    Rotate {
        /// Bounds of the angle in degrees.
        degrees: Bounds,
        /// Probability.
        p: f64,
    },
    /// Enlarges.
    Zoom {
        /// Bounds of the factor, above zero; 2 shows half of the height and width.
        scale: Bounds,
        /// What part stays.
        row: Bounds,
        /// What part stays.
        col: Bounds,
        /// Probability.
        p: f64,
    },
    /// Stretches one axis: below 1 the columns (a half shows half of them), above 1 the rows.
    Squish {
        /// Bounds of the factor, above zero.
        scale: Bounds,
        /// What part of the rows stays.
        row: Bounds,
        /// What part of the columns stays.
        col: Bounds,
        /// Probability.
        p: f64,
    },
    /// Mirrors left and right, as part of the one resampling.
    FlipAffine {
        /// Probability.
        p: f64,
    },
    /// One of the eight symmetries of the square, as part of the one resampling: of an image that is
    /// not square the shape stays.
    DihedralAffine {
        /// Bit 0 mirrors left and right, bit 1 top and bottom, bit 2 swaps rows and columns.
        k: Bounds<u32>,
        /// Probability.
        p: f64,
    },
    /// Adds `logit(change)` to the logits of the pixels.
    Brightness {
        /// Bounds within 0 (black) and 1 (white); 0.5 changes nothing.
        change: Bounds,
        /// Probability.
        p: f64,
    },
    /// Multiplies the logits of the pixels.
    Contrast {
        /// Bounds of the factor, above zero; its logarithm is uniform. 1 changes nothing.
        scale: Bounds,
        /// Probability.
        p: f64,
    },
    /// Mirrors left and right, pixel by pixel.
    FlipLr {
        /// Probability.
        p: f64,
    },
    /// One of the eight symmetries of the square, pixel by pixel. The image may come out with height
    /// and width swapped, so it has to be cropped after it, or be square.
    Dihedral {
        /// Bit 0 mirrors top and bottom, bit 1 left and right, bit 2 then swaps rows and columns.
        k: Bounds<u32>,
        /// Probability.
        p: f64,
    },
    /// Cuts out a part of a size of its own, whatever the resize method.
    Crop {
        /// Height and width. An image that is smaller is filled up.
        size: Size,
        /// Where to cut from top (0) to bottom (1).
        row: Bounds,
        /// Where to cut from left (0) to right (1).
        col: Bounds,
    },
    /// Fills one channel with noise.
    RgbRandomize {
        /// Which: 0 red, 1 green, 2 blue.
        channel: Bounds<u32>,
        /// The brightest noise is drawn between 0 and this, which is within 0 and 1.
        thresh: f64,
        /// Probability.
        p: f64,
    },
    /// Puts black squares on the image.
    Cutout {
        /// How many.
        holes: Bounds<u32>,
        /// The side in pixels. Their centres are anywhere, so they may reach beyond the edge.
        length: Bounds<u32>,
        /// Probability.
        p: f64,
    },
    /// Cuts or fills up to the size wanted. Only with [`Crop`] and [`Pad`].
    ///
    /// [`Crop`]: crate::ResizeMethod::Crop
    /// [`Pad`]: crate::ResizeMethod::Pad
    CropPad {
        /// Where to cut from top (0) to bottom (1).
        row: Bounds,
        /// Where to cut from left (0) to right (1).
        col: Bounds,
    },
    /// Some of fourteen operations on 8-bit pixels, one after another and all of one strength, as
    /// torchvision's `RandAugment` (Cubuk et al., <https://arxiv.org/abs/1909.13719>).
    RandAugment {
        /// How many operations.
        ops: u32,
        /// Their strength: one of the bins, counted from 0.
        magnitude: u32,
        /// How many bins the strengths are divided into, at least 2.
        bins: u32,
    },
    /// One of fourteen operations on 8-bit pixels, of random strength, as torchvision's
    /// `TrivialAugmentWide` (Müller and Hutter, <https://arxiv.org/abs/2103.10158>).
    TrivialAugment {
        /// How many bins the strengths are divided into, at least 2.
        bins: u32,
    },
}

impl Transform {
    /// fastai's `rand_crop`: [`CropPad`](Self::CropPad) anywhere.
    pub fn rand_crop() -> Self {
        Self::CropPad {
            row: Bounds::PART,
            col: Bounds::PART,
        }
    }

    /// fastai's `crop_pad`: [`CropPad`](Self::CropPad) in the middle.
    pub fn crop_pad() -> Self {
        Self::CropPad {
            row: Bounds::MIDDLE,
            col: Bounds::MIDDLE,
        }
    }

    /// fastai's `crop`: [`Crop`](Self::Crop) in the middle.
    pub fn crop(size: impl Into<Size>) -> Self {
        Self::Crop {
            size: size.into(),
            row: Bounds::MIDDLE,
            col: Bounds::MIDDLE,
        }
    }

    /// [`Pad`](Self::Pad).
    pub fn pad(pixels: u32, mode: PaddingMode) -> Self {
        Self::Pad { pixels, mode }
    }

    /// [`FlipLr`](Self::FlipLr).
    pub fn flip_lr() -> Self {
        Self::FlipLr { p: 1.0 }
    }

    /// [`FlipAffine`](Self::FlipAffine).
    pub fn flip_affine() -> Self {
        Self::FlipAffine { p: 1.0 }
    }

    /// [`Dihedral`](Self::Dihedral), each symmetry as likely.
    pub fn dihedral() -> Self {
        Self::Dihedral {
            k: (0..=7).into(),
            p: 1.0,
        }
    }

    /// [`DihedralAffine`](Self::DihedralAffine), each symmetry as likely.
    pub fn dihedral_affine() -> Self {
        Self::DihedralAffine {
            k: (0..=7).into(),
            p: 1.0,
        }
    }

    /// [`SymmetricWarp`](Self::SymmetricWarp) with the same bounds for all sides.
    pub fn symmetric_warp(magnitude: impl Into<Bounds>) -> Self {
        Self::SymmetricWarp {
            magnitude: [magnitude.into(); 4],
            p: 1.0,
        }
    }

    /// [`PerspectiveWarp`](Self::PerspectiveWarp) with the same bounds for all corners.
    pub fn perspective_warp(magnitude: impl Into<Bounds>) -> Self {
        Self::PerspectiveWarp {
            magnitude: [magnitude.into(); 8],
            p: 1.0,
        }
    }

    /// [`Tilt`](Self::Tilt).
    pub fn tilt(direction: impl Into<Bounds<u32>>, magnitude: impl Into<Bounds>) -> Self {
        Self::Tilt {
            direction: direction.into(),
            magnitude: magnitude.into(),
            p: 1.0,
        }
    }

    /// [`Skew`](Self::Skew).
    pub fn skew(direction: impl Into<Bounds<u32>>, magnitude: impl Into<Bounds>) -> Self {
        Self::Skew {
            direction: direction.into(),
            magnitude: magnitude.into(),
            p: 1.0,
        }
    }

    /// [`Jitter`](Self::Jitter).
    pub fn jitter(magnitude: impl Into<Bounds>) -> Self {
        Self::Jitter {
            magnitude: magnitude.into(),
            p: 1.0,
        }
    }

    /// [`Rotate`](Self::Rotate).
    pub fn rotate(degrees: impl Into<Bounds>) -> Self {
        Self::Rotate {
            degrees: degrees.into(),
            p: 1.0,
        }
    }

    /// fastai's `zoom`: [`Zoom`](Self::Zoom) of the middle.
    pub fn zoom(scale: impl Into<Bounds>) -> Self {
        Self::Zoom {
            scale: scale.into(),
            row: Bounds::MIDDLE,
            col: Bounds::MIDDLE,
            p: 1.0,
        }
    }

    /// fastai's `rand_zoom`: [`Zoom`](Self::Zoom) of any part.
    pub fn rand_zoom(scale: impl Into<Bounds>) -> Self {
        Self::Zoom {
            scale: scale.into(),
            row: Bounds::PART,
            col: Bounds::PART,
            p: 1.0,
        }
    }

    /// [`Squish`](Self::Squish) of the middle.
    pub fn squish(scale: impl Into<Bounds>) -> Self {
        Self::Squish {
            scale: scale.into(),
            row: Bounds::MIDDLE,
            col: Bounds::MIDDLE,
            p: 1.0,
        }
    }

    /// [`Brightness`](Self::Brightness).
    pub fn brightness(change: impl Into<Bounds>) -> Self {
        Self::Brightness {
            change: change.into(),
            p: 1.0,
        }
    }

    /// [`Contrast`](Self::Contrast).
    pub fn contrast(scale: impl Into<Bounds>) -> Self {
        Self::Contrast {
            scale: scale.into(),
            p: 1.0,
        }
    }

    /// [`RgbRandomize`](Self::RgbRandomize) of any channel, with fastai's threshold of 0.3. (fastai
    /// never chooses blue, by an oversight.)
    pub fn rgb_randomize() -> Self {
        Self::RgbRandomize {
            channel: (0..=2).into(),
            thresh: 0.3,
            p: 1.0,
        }
    }

    /// [`Cutout`](Self::Cutout); fastai's default is one hole of 40 pixels.
    pub fn cutout(holes: impl Into<Bounds<u32>>, length: impl Into<Bounds<u32>>) -> Self {
        Self::Cutout {
            holes: holes.into(),
            length: length.into(),
            p: 1.0,
        }
    }

    /// [`RandAugment`](Self::RandAugment) with torchvision's defaults: two operations of strength 9
    /// in 31 bins.
    pub fn rand_augment() -> Self {
        Self::RandAugment {
            ops: 2,
            magnitude: 9,
            bins: 31,
        }
    }

    /// [`TrivialAugment`](Self::TrivialAugment) with torchvision's default of 31 bins.
    pub fn trivial_augment() -> Self {
        Self::TrivialAugment { bins: 31 }
    }

    /// The same with another probability. What has none, because sizes depend on it or because it
    /// is random in itself, stays as it is.
    pub fn with_p(mut self, probability: f64) -> Self {
        if let Some(p) = self.p_mut() {
            *p = probability;
        }
        self
    }

    /// The order in which fastai applies them, whatever their order in the list.
    pub(crate) fn order(&self) -> i8 {
        match self {
            Self::RandomResizedCrop { .. } | Self::ResizeCenterCrop { .. } => -20,
            Self::Pad { .. } => -10,
            Self::SymmetricWarp { .. }
            | Self::PerspectiveWarp { .. }
            | Self::Tilt { .. }
            | Self::Skew { .. }
            | Self::Jitter { .. }
            | Self::ZoomSquish { .. } => 4,
            Self::Rotate { .. }
            | Self::Zoom { .. }
            | Self::Squish { .. }
            | Self::FlipAffine { .. }
            | Self::DihedralAffine { .. } => 5,
            Self::Brightness { .. } | Self::Contrast { .. } => 8,
            Self::FlipLr { .. }
            | Self::Dihedral { .. }
            | Self::Crop { .. }
            | Self::RgbRandomize { .. } => 10,
            Self::Cutout { .. } => 20,
            Self::CropPad { .. } => 99,
            Self::RandAugment { .. } | Self::TrivialAugment { .. } => 100,
        }
    }

    fn p_mut(&mut self) -> Option<&mut f64> {
        match self {
            Self::SymmetricWarp { p, .. }
            | Self::PerspectiveWarp { p, .. }
            | Self::Tilt { p, .. }
            | Self::Skew { p, .. }
            | Self::Jitter { p, .. }
            | Self::ZoomSquish { p, .. }
            | Self::Rotate { p, .. }
            | Self::Zoom { p, .. }
            | Self::Squish { p, .. }
            | Self::FlipAffine { p }
            | Self::DihedralAffine { p, .. }
            | Self::Brightness { p, .. }
            | Self::Contrast { p, .. }
            | Self::FlipLr { p }
            | Self::Dihedral { p, .. }
            | Self::RgbRandomize { p, .. }
            | Self::Cutout { p, .. } => Some(p),
            Self::RandomResizedCrop { .. }
            | Self::ResizeCenterCrop { .. }
            | Self::Pad { .. }
            | Self::Crop { .. }
            | Self::CropPad { .. }
            | Self::RandAugment { .. }
            | Self::TrivialAugment { .. } => None,
        }
    }

    /// The probability that it happens.
    pub fn p(&self) -> f64 {
        self.clone().p_mut().map_or(1.0, |p| *p)
    }
}
