//! Constructors of the built-in transforms, with fastai's names and defaults.

use crate::transforms::bounds::Bounds;
use crate::transforms::builtin::brightness::Brightness;
use crate::transforms::builtin::contrast::Contrast;
use crate::transforms::builtin::crop::Crop;
use crate::transforms::builtin::crop_pad::CropPad;
use crate::transforms::builtin::cutout::Cutout;
use crate::transforms::builtin::dihedral::Dihedral;
use crate::transforms::builtin::dihedral_affine::DihedralAffine;
use crate::transforms::builtin::flip_affine::FlipAffine;
use crate::transforms::builtin::flip_lr::FlipLr;
use crate::transforms::builtin::jitter::Jitter;
use crate::transforms::builtin::pad::Pad;
use crate::transforms::builtin::perspective_warp::PerspectiveWarp;
use crate::transforms::builtin::rand_augment::RandAugment;
use crate::transforms::builtin::rgb_randomize::RgbRandomize;
use crate::transforms::builtin::rotate::Rotate;
use crate::transforms::builtin::skew::Skew;
use crate::transforms::builtin::squish::Squish;
use crate::transforms::builtin::symmetric_warp::SymmetricWarp;
use crate::transforms::builtin::tilt::Tilt;
use crate::transforms::builtin::trivial_augment::TrivialAugment;
use crate::transforms::builtin::zoom::Zoom;
use crate::transforms::padding::PaddingMode;
use crate::transforms::size::Size;
use crate::transforms::transform::Transform;

impl Transform {
    /// fastai's `rand_crop`: [`CropPad`](Self::CropPad) at a random position.
    pub fn rand_crop() -> Self {
        Self::CropPad(CropPad {
            row: Bounds::PART,
            col: Bounds::PART,
        })
    }

    /// fastai's `crop_pad`: [`CropPad`](Self::CropPad) at the center.
    pub fn crop_pad() -> Self {
        Self::CropPad(CropPad {
            row: Bounds::MIDDLE,
            col: Bounds::MIDDLE,
        })
    }

    /// fastai's `crop`: [`Crop`](Self::Crop) at the center.
    pub fn crop(size: impl Into<Size>) -> Self {
        Self::Crop(Crop {
            size: size.into(),
            row: Bounds::MIDDLE,
            col: Bounds::MIDDLE,
        })
    }

    /// [`Pad`](Self::Pad).
    pub fn pad(pixels: u32, mode: PaddingMode) -> Self {
        Self::Pad(Pad { pixels, mode })
    }

    /// [`FlipLr`](Self::FlipLr).
    pub fn flip_lr() -> Self {
        Self::FlipLr(FlipLr { p: 1.0 })
    }

    /// [`FlipAffine`](Self::FlipAffine).
    pub fn flip_affine() -> Self {
        Self::FlipAffine(FlipAffine { p: 1.0 })
    }

    /// [`Dihedral`](Self::Dihedral), all symmetries equally likely.
    pub fn dihedral() -> Self {
        Self::Dihedral(Dihedral {
            k: (0..=7).into(),
            p: 1.0,
        })
    }

    /// [`DihedralAffine`](Self::DihedralAffine), all symmetries equally likely.
    pub fn dihedral_affine() -> Self {
        Self::DihedralAffine(DihedralAffine {
            k: (0..=7).into(),
            p: 1.0,
        })
    }

    /// [`SymmetricWarp`](Self::SymmetricWarp) with the same bounds for all sides.
    pub fn symmetric_warp(magnitude: impl Into<Bounds>) -> Self {
        Self::SymmetricWarp(SymmetricWarp {
            magnitude: [magnitude.into(); 4],
            p: 1.0,
        })
    }

    /// [`PerspectiveWarp`](Self::PerspectiveWarp) with the same bounds for all corners.
    pub fn perspective_warp(magnitude: impl Into<Bounds>) -> Self {
        Self::PerspectiveWarp(PerspectiveWarp {
            magnitude: [magnitude.into(); 8],
            p: 1.0,
        })
    }

    /// [`Tilt`](Self::Tilt).
    pub fn tilt(direction: impl Into<Bounds<u32>>, magnitude: impl Into<Bounds>) -> Self {
        Self::Tilt(Tilt {
            direction: direction.into(),
            magnitude: magnitude.into(),
            p: 1.0,
        })
    }

    /// [`Skew`](Self::Skew).
    pub fn skew(direction: impl Into<Bounds<u32>>, magnitude: impl Into<Bounds>) -> Self {
        Self::Skew(Skew {
            direction: direction.into(),
            magnitude: magnitude.into(),
            p: 1.0,
        })
    }

    /// [`Jitter`](Self::Jitter).
    pub fn jitter(magnitude: impl Into<Bounds>) -> Self {
        Self::Jitter(Jitter {
            magnitude: magnitude.into(),
            p: 1.0,
        })
    }

    /// [`Rotate`](Self::Rotate).
    pub fn rotate(degrees: impl Into<Bounds>) -> Self {
        Self::Rotate(Rotate {
            degrees: degrees.into(),
            p: 1.0,
        })
    }

    /// fastai's `zoom`: [`Zoom`](Self::Zoom) at the center.
    pub fn zoom(scale: impl Into<Bounds>) -> Self {
        Self::Zoom(Zoom {
            scale: scale.into(),
            row: Bounds::MIDDLE,
            col: Bounds::MIDDLE,
            p: 1.0,
        })
    }

    /// fastai's `rand_zoom`: [`Zoom`](Self::Zoom) at a random position.
    pub fn rand_zoom(scale: impl Into<Bounds>) -> Self {
        Self::Zoom(Zoom {
            scale: scale.into(),
            row: Bounds::PART,
            col: Bounds::PART,
            p: 1.0,
        })
    }

    /// [`Squish`](Self::Squish) at the center.
    pub fn squish(scale: impl Into<Bounds>) -> Self {
        Self::Squish(Squish {
            scale: scale.into(),
            row: Bounds::MIDDLE,
            col: Bounds::MIDDLE,
            p: 1.0,
        })
    }

    /// [`Brightness`](Self::Brightness).
    pub fn brightness(change: impl Into<Bounds>) -> Self {
        Self::Brightness(Brightness {
            change: change.into(),
            p: 1.0,
        })
    }

    /// [`Contrast`](Self::Contrast).
    pub fn contrast(scale: impl Into<Bounds>) -> Self {
        Self::Contrast(Contrast {
            scale: scale.into(),
            p: 1.0,
        })
    }

    /// [`RgbRandomize`](Self::RgbRandomize) of any channel, with fastai's threshold of 0.3. (fastai
    /// never chooses blue, because of a bug.)
    pub fn rgb_randomize() -> Self {
        Self::RgbRandomize(RgbRandomize {
            channel: (0..=2).into(),
            thresh: 0.3,
            p: 1.0,
        })
    }

    /// [`Cutout`](Self::Cutout); fastai's default is one hole of 40 pixels.
    pub fn cutout(holes: impl Into<Bounds<u32>>, length: impl Into<Bounds<u32>>) -> Self {
        Self::Cutout(Cutout {
            holes: holes.into(),
            length: length.into(),
            p: 1.0,
        })
    }

    /// [`RandAugment`](Self::RandAugment) with torchvision's defaults: two operations of strength 9
    /// in 31 bins.
    pub fn rand_augment() -> Self {
        Self::RandAugment(RandAugment {
            ops: 2,
            magnitude: 9,
            bins: 31,
        })
    }

    /// [`TrivialAugment`](Self::TrivialAugment) with torchvision's default of 31 bins.
    pub fn trivial_augment() -> Self {
        Self::TrivialAugment(TrivialAugment { bins: 31 })
    }
}
