//! One change of an image, as data.

use std::fmt;

use serde::{Deserialize, Serialize};
use vision_base::OptionError;

use crate::error::{Error, Result};
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
use crate::transforms::builtin::random_resized_crop::RandomResizedCrop;
use crate::transforms::builtin::resize_center_crop::ResizeCenterCrop;
use crate::transforms::builtin::rgb_randomize::RgbRandomize;
use crate::transforms::builtin::rotate::Rotate;
use crate::transforms::builtin::skew::Skew;
use crate::transforms::builtin::squish::Squish;
use crate::transforms::builtin::symmetric_warp::SymmetricWarp;
use crate::transforms::builtin::tilt::Tilt;
use crate::transforms::builtin::trivial_augment::TrivialAugment;
use crate::transforms::builtin::zoom::Zoom;
use crate::transforms::builtin::zoom_squish::ZoomSquish;
use crate::transforms::custom::{Custom, ItemTransform};
use crate::transforms::kind::Kind;

/// Makes the enum, and its way to the [`Kind`] of each variant.
macro_rules! transforms {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// One random change of an image. `p` is the probability that it happens; each
        /// [`Bounds`](crate::Bounds) is the range of a number that is drawn anew every time.
        ///
        /// The numbers are in the structs of [`builtin`](crate::builtin). The functions have fastai's names and
        /// defaults, and happen always unless [`with_p`](Self::with_p) says otherwise:
        ///
        /// ```
        /// use vision_data::{Transform, builtin::Rotate};
        ///
        /// let turn = Transform::rotate(-30.0..=30.0).with_p(0.75);
        /// assert_eq!(turn, Transform::Rotate(Rotate { degrees: [-30.0, 30.0].into(), p: 0.75 }));
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
        /// | 100 | `RandAugment`, `TrivialAugment`; your own, unless they say otherwise |
        ///
        /// A magnitude is in coordinates that run from -1 to 1 across the image. Parts (`row`, `col`)
        /// run from 0 (top, left) to 1 (bottom, right).
        #[derive(Clone, PartialEq, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        #[non_exhaustive]
        pub enum Transform {
            $($(#[$doc])* $name($name),)*
            /// A transform of your own: an [`ItemTransform`].
            Custom(Custom),
        }

        impl Transform {
            /// What it is called: the name of its variant, or that of your own.
            pub fn name(&self) -> &str {
                match self {
                    $(Self::$name(_) => stringify!($name),)*
                    Self::Custom(custom) => custom.name(),
                }
            }

            pub(crate) fn kind(&self) -> &dyn Kind {
                match self {
                    $(Self::$name(transform) => transform,)*
                    Self::Custom(custom) => custom,
                }
            }

            fn kind_mut(&mut self) -> &mut dyn Kind {
                match self {
                    $(Self::$name(transform) => transform,)*
                    Self::Custom(custom) => custom,
                }
            }
        }

        $(
            impl From<$name> for Transform {
                fn from(transform: $name) -> Self {
                    Self::$name(transform)
                }
            }
        )*

        impl fmt::Debug for Transform {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    $(Self::$name(transform) => transform.fmt(f),)*
                    Self::Custom(custom) => custom.fmt(f),
                }
            }
        }
    };
}

// The line that makes a new file of `builtin` a transform.
transforms! {
    /// Cuts out a part of random size and shape and resizes it to the size of the data, as torchvision's
    /// `RandomResizedCrop` does: with Pillow's bilinear filter, which weighs all
    /// pixels that it makes smaller. For training. Needs a size.
    RandomResizedCrop,
    /// Resizes until the shorter side has `extra` pixels more than the size of the data, and cuts out the center,
    /// as torchvision's `Resize` and `CenterCrop` do: what goes with
    /// [`RandomResizedCrop`](crate::builtin::RandomResizedCrop) when validating. Needs a size.
    ResizeCenterCrop,
    /// Adds pixels on all four sides. Where the image is moved too, the padded image is rounded to 8 bits first.
    Pad,
    /// A perspective warp that keeps opposite sides alike, by a magnitude for each of four sides.
    SymmetricWarp,
    /// A perspective warp that moves the four corners in x and y by eight magnitudes.
    PerspectiveWarp,
    /// Tilts the image plane: one side grows or shrinks.
    Tilt,
    /// Moves one corner in x or y.
    Skew,
    /// Takes each pixel from a random place nearby.
    Jitter,
    /// Zooms and changes the aspect ratio, within the image; part of fastai's
    /// [`rand_resize_crop`](crate::presets::rand_resize_crop). Eight pairs of scale and squish are
    /// tried; if none of them fits, the largest centered square is taken.
    ZoomSquish,
    /// Turns about the center; positive angles are counter-clockwise.
    Rotate,
    /// Enlarges.
    Zoom,
    /// Stretches one axis: below 1 the columns (a half shows half of them), above 1 the rows.
    Squish,
    /// Mirrors left and right, as part of the one resampling.
    FlipAffine,
    /// One of the eight symmetries of the square, as part of the one resampling: an image that is
    /// not square keeps its shape.
    DihedralAffine,
    /// Adds `logit(change)` to the logits of the pixels.
    Brightness,
    /// Multiplies the logits of the pixels.
    Contrast,
    /// Mirrors left and right, pixel by pixel.
    FlipLr,
    /// One of the eight symmetries of the square, pixel by pixel. The image may come out with height
    /// and width swapped, so it has to be cropped after it, or be square.
    Dihedral,
    /// Cuts out a part of a size of its own, whatever the resize method.
    Crop,
    /// Fills one channel with noise.
    RgbRandomize,
    /// Puts black squares on the image.
    Cutout,
    /// Cuts or fills up to the size of the data. Only with [`Crop`] and [`Pad`].
    ///
    /// [`Crop`]: crate::ResizeMethod::Crop
    /// [`Pad`]: crate::ResizeMethod::Pad
    CropPad,
    /// Some of fourteen operations on 8-bit pixels, one after another and all of one strength, as
    /// torchvision's `RandAugment` (Cubuk et al., <https://arxiv.org/abs/1909.13719>).
    RandAugment,
    /// One of fourteen operations on 8-bit pixels, of random strength, as torchvision's
    /// `TrivialAugmentWide` (Müller and Hutter, <https://arxiv.org/abs/2103.10158>).
    TrivialAugment,
}

impl Transform {
    /// A transform of your own.
    pub fn custom(transform: impl ItemTransform) -> Self {
        Self::Custom(Custom::new(transform))
    }

    /// The same with another probability. What has none, because sizes depend on it or because it
    /// is random in itself, stays as it is.
    pub fn with_p(mut self, probability: f64) -> Self {
        self.kind_mut().set_p(probability);
        self
    }

    /// The probability that it happens.
    pub fn p(&self) -> f64 {
        self.kind().p()
    }

    /// Checks that all numbers are within their ranges, and that your own transforms are usable.
    ///
    /// # Errors
    ///
    /// [`Error::Option`] that names the field, [`Error::Transform`] for one of your own.
    pub fn check(&self) -> Result<()> {
        if let Self::Custom(custom) = self {
            custom.usable()?;
        }
        let kind = self.kind();
        let checked = match (0.0..=1.0).contains(&kind.p()) {
            true => kind.check(),
            // Where `get_transforms` makes such a transform, its argument is named: it is what was given.
            false => Err(kind.p_expected()),
        };
        checked.map_err(|expected| {
            Error::Option(OptionError::new("transform", expected, format!("{self:?}")))
        })
    }
}
