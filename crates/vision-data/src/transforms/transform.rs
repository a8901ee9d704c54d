//! The type [`Transform`]: one change of an image, described as data.

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

/// Defines the enum, and its mapping to the [`Kind`] of each variant.
macro_rules! transforms {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// One random change of an image. `p` is the probability that it is applied; each
        /// [`Bounds`](crate::Bounds) is the range of a number that is drawn again for each item.
        ///
        /// The parameters are in the structs of [`builtin`](crate::builtin). The constructors have
        /// fastai's names and defaults, and always apply unless [`with_p`](Self::with_p) changes the
        /// probability:
        ///
        /// ```
        /// use vision_data::{Transform, builtin::Rotate};
        ///
        /// let turn = Transform::rotate(-30.0..=30.0).with_p(0.75);
        /// assert_eq!(turn, Transform::Rotate(Rotate { degrees: [-30.0, 30.0].into(), p: 0.75 }));
        /// ```
        ///
        /// Transforms are applied in fastai's order, whatever their order in a list:
        ///
        /// | order | transforms |
        /// |---|---|
        /// | -20 | `RandomResizedCrop`, `ResizeCenterCrop` |
        /// | -10 | `Pad` |
        /// | 4 | coordinates: the warps, `Tilt`, `Skew`, `Jitter`, `ZoomSquish` |
        /// | 5 | affine: `Rotate`, `Zoom`, `Squish`, `FlipAffine`, `DihedralAffine` |
        /// | 8 | `Brightness`, `Contrast` |
        /// | 10 | pixels: `FlipLr`, `Dihedral`, `Crop`, `RgbRandomize` |
        /// | 20 | `Cutout` |
        /// | 99 | `CropPad` |
        /// | 100 | `RandAugment`, `TrivialAugment`; custom transforms by default |
        ///
        /// Magnitudes are in coordinates from -1 to 1 across the image. Positions (`row`, `col`) run from 0
        /// (top, left) to 1 (bottom, right).
        #[derive(Clone, PartialEq, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        #[non_exhaustive]
        pub enum Transform {
            $($(#[$doc])* $name($name),)*
            /// A custom transform: an [`ItemTransform`].
            Custom(Custom),
        }

        impl Transform {
            /// Its name: that of the variant, or of the custom transform.
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

// Add a line here to register a new file of `builtin`.
transforms! {
    /// Cuts out a rectangle of random size and shape and resizes it to the size of the data, like
    /// torchvision's `RandomResizedCrop`: with Pillow's antialiasing bilinear filter, which averages all
    /// pixels when it reduces an image. For training. Needs a size.
    RandomResizedCrop,
    /// Resizes the shorter side to the size of the data plus `extra` pixels and cuts out the center, like
    /// torchvision's `Resize` and `CenterCrop`. The counterpart for validation of
    /// [`RandomResizedCrop`](crate::builtin::RandomResizedCrop). Needs a size.
    ResizeCenterCrop,
    /// Pads all four sides. If the image is also moved, the padded image is rounded to 8 bits first.
    Pad,
    /// A perspective warp that changes opposite sides symmetrically, by a magnitude for each of four sides.
    SymmetricWarp,
    /// A perspective warp that moves each of the four corners in x and y.
    PerspectiveWarp,
    /// Tilts the image plane: one side grows or shrinks.
    Tilt,
    /// Moves one corner in x or y.
    Skew,
    /// Samples each pixel from a random position nearby.
    Jitter,
    /// Zooms and changes the aspect ratio, within the image; used by fastai's
    /// [`rand_resize_crop`](crate::presets::rand_resize_crop). Tries eight pairs of scale and squish; if
    /// none fits, uses the largest centered square.
    ZoomSquish,
    /// Rotates about the center; positive angles are counter-clockwise.
    Rotate,
    /// Zooms in, or out with a factor below 1.
    Zoom,
    /// Stretches one axis: a factor below 1 stretches columns (0.5 shows half of them), above 1 rows.
    Squish,
    /// Mirrors left and right, as part of the single resampling.
    FlipAffine,
    /// One of the eight symmetries of the square, as part of the single resampling. The height and width
    /// of the image do not change.
    DihedralAffine,
    /// Adds `logit(change)` to the logits of the pixels.
    Brightness,
    /// Multiplies the logits of the pixels.
    Contrast,
    /// Mirrors left and right, pixel by pixel.
    FlipLr,
    /// One of the eight symmetries of the square, pixel by pixel. Height and width may be swapped, so the
    /// image must be square or be cropped afterwards.
    Dihedral,
    /// Crops to its own size, whatever the resize method.
    Crop,
    /// Replaces one channel with noise.
    RgbRandomize,
    /// Puts black squares on the image.
    Cutout,
    /// Crops or pads to the size of the data. Only with the methods [`Crop`] and [`Pad`].
    ///
    /// [`Crop`]: crate::ResizeMethod::Crop
    /// [`Pad`]: crate::ResizeMethod::Pad
    CropPad,
    /// Applies some of fourteen operations on 8-bit pixels in sequence, all of the same strength, like
    /// torchvision's `RandAugment` (Cubuk et al., <https://arxiv.org/abs/1909.13719>).
    RandAugment,
    /// Applies one of fourteen operations on 8-bit pixels, of random strength, like torchvision's
    /// `TrivialAugmentWide` (Müller and Hutter, <https://arxiv.org/abs/2103.10158>).
    TrivialAugment,
}

impl Transform {
    /// Creates a custom transform.
    pub fn custom(transform: impl ItemTransform) -> Self {
        Self::Custom(Custom::new(transform))
    }

    /// Changes the probability. Transforms without one, because the size depends on them or because they
    /// are random in themselves, are unchanged.
    pub fn with_p(mut self, probability: f64) -> Self {
        self.kind_mut().set_p(probability);
        self
    }

    /// The probability that it is applied.
    pub fn p(&self) -> f64 {
        self.kind().p()
    }

    /// Checks that all numbers are in range, and that custom transforms are usable.
    ///
    /// # Errors
    ///
    /// [`Error::Option`] that names the field, [`Error::Transform`] for a custom transform.
    pub fn check(&self) -> Result<()> {
        if let Self::Custom(custom) = self {
            custom.usable()?;
        }
        let kind = self.kind();
        let checked = match (0.0..=1.0).contains(&kind.p()) {
            true => kind.check(),
            // Also names the argument of `get_transforms`, if that creates this transform.
            false => Err(kind.p_expected()),
        };
        checked.map_err(|expected| {
            Error::Option(OptionError::new("transform", expected, format!("{self:?}")))
        })
    }
}
