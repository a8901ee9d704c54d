//! What is done to an image besides resizing, as data.
//!
//! A list of [`Transform`]s says what may happen to an image, how likely it is and within which
//! bounds. What does happen to one image is drawn from (seed, epoch, index) alone. All moves of
//! pixels are composed into one map, so that an image is resampled once, however long the list.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// The bounds of a random number: from the first, up to the second. Equal bounds fix it.
pub type Bounds = [f64; 2];

/// One random change of an image. `p` is the probability that it happens.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Transform {
    /// Cuts or fills up (by reflection) to the size wanted. Only with [`Crop`] and [`Pad`].
    ///
    /// [`Crop`]: crate::ResizeMethod::Crop
    /// [`Pad`]: crate::ResizeMethod::Pad
    CropPad {
        /// Where to cut from top (0) to bottom (1).
        row: Bounds,
        /// Where to cut from left (0) to right (1).
        col: Bounds,
    },
    /// Mirrors left and right.
    FlipLr {
        /// Probability.
        p: f64,
    },
    /// One of the eight symmetries of the square, each as likely.
    Dihedral {
        /// Probability.
        p: f64,
    },
    /// Tilts the picture plane, by a magnitude for each of four sides.
    SymmetricWarp {
        /// Bounds of the magnitudes, within -0.5 and 0.5.
        magnitude: Bounds,
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
        /// What part stays, from top (0) to bottom (1).
        row: Bounds,
        /// What part stays, from left (0) to right (1).
        col: Bounds,
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
}

impl Transform {
    /// The order in which fastai applies them, whatever their order in the list.
    pub(crate) fn order(&self) -> u8 {
        match self {
            Self::SymmetricWarp { .. } => 4,
            Self::Rotate { .. } | Self::Zoom { .. } | Self::Dihedral { .. } => 5,
            Self::Brightness { .. } | Self::Contrast { .. } => 8,
            Self::FlipLr { .. } => 10,
            Self::CropPad { .. } => 99,
        }
    }

    fn check(&self) -> Result<()> {
        let within = |bounds: &Bounds, low: f64, high: f64| {
            // Written so that NaN fails.
            low <= bounds[0] && bounds[0] <= bounds[1] && bounds[1] <= high
        };
        let part = |bounds: &Bounds| within(bounds, 0.0, 1.0);
        let factor = |bounds: &Bounds| within(bounds, 1e-3, 1e3);
        let (p, fits) = match self {
            Self::CropPad { row, col } => (1.0, part(row) && part(col)),
            Self::FlipLr { p } | Self::Dihedral { p } => (*p, true),
            Self::SymmetricWarp { magnitude, p } => (*p, within(magnitude, -0.5, 0.5)),
            Self::Rotate { degrees, p } => (*p, within(degrees, -3600.0, 3600.0)),
            Self::Zoom { scale, row, col, p } => (*p, factor(scale) && part(row) && part(col)),
            Self::Brightness { change, p } => (*p, within(change, 1e-6, 1.0 - 1e-6)),
            Self::Contrast { scale, p } => (*p, factor(scale)),
        };
        if fits && (0.0..=1.0).contains(&p) {
            return Ok(());
        }
        Err(Error::BadOption {
            option: "transform",
            expected: "a probability in [0, 1], and bounds in order within: parts [0, 1], \
                       magnitude [-0.5, 0.5], degrees [-3600, 3600], scale [0.001, 1000], \
                       change (0, 1)",
            found: format!("{self:?}"),
        })
    }
}

/// The transforms of the training images, and those of all others.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Transforms {
    /// For training.
    pub train: Vec<Transform>,
    /// For validation, testing and prediction.
    pub valid: Vec<Transform>,
}

impl Transforms {
    pub(crate) fn check(&self) -> Result<()> {
        self.train
            .iter()
            .chain(&self.valid)
            .try_for_each(Transform::check)
    }
}

/// fastai's default transforms: [`TransformConfig::new`], as they are.
pub fn get_transforms() -> Transforms {
    TransformConfig::new().into()
}

/// The arguments of fastai's `get_transforms`.
///
/// In training: a random crop, a flip, a perspective warp, a rotation, a zoom, and changes of
/// brightness and contrast. Otherwise: a centre crop.
///
/// ```
/// use vision_data::{TransformConfig, Transforms, get_transforms};
///
/// let gentle: Transforms = TransformConfig::new().with_max_rotate(5.0).with_max_warp(0.0).into();
/// assert_eq!(gentle.train.len(), get_transforms().train.len() - 1);
/// assert_eq!(gentle.valid, get_transforms().valid);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TransformConfig {
    do_flip: bool,
    flip_vert: bool,
    max_rotate: f64,
    max_zoom: f64,
    max_lighting: f64,
    max_warp: f64,
    p_affine: f64,
    p_lighting: f64,
}

impl Default for TransformConfig {
    fn default() -> Self {
        Self {
            do_flip: true,
            flip_vert: false,
            max_rotate: 10.0,
            max_zoom: 1.1,
            max_lighting: 0.2,
            max_warp: 0.2,
            p_affine: 0.75,
            p_lighting: 0.75,
        }
    }
}

impl TransformConfig {
    /// fastai's defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether to flip at all; true by default.
    pub fn with_do_flip(mut self, do_flip: bool) -> Self {
        self.do_flip = do_flip;
        self
    }

    /// Whether to flip vertically and turn by 90 degrees too; false by default.
    pub fn with_flip_vert(mut self, flip_vert: bool) -> Self {
        self.flip_vert = flip_vert;
        self
    }

    /// The largest rotation in degrees, either way; 10 by default, 0 for none.
    pub fn with_max_rotate(mut self, degrees: f64) -> Self {
        self.max_rotate = degrees;
        self
    }

    /// The largest zoom; 1.1 by default, 1 for none.
    pub fn with_max_zoom(mut self, scale: f64) -> Self {
        self.max_zoom = scale;
        self
    }

    /// The largest change of brightness and contrast, below 1; 0.2 by default, 0 for none.
    pub fn with_max_lighting(mut self, change: f64) -> Self {
        self.max_lighting = change;
        self
    }

    /// The largest magnitude of the warp, up to 0.5; 0.2 by default, 0 for none.
    pub fn with_max_warp(mut self, magnitude: f64) -> Self {
        self.max_warp = magnitude;
        self
    }

    /// The probability of each of warp, rotation and zoom; 0.75 by default.
    pub fn with_p_affine(mut self, p: f64) -> Self {
        self.p_affine = p;
        self
    }

    /// The probability of each of brightness and contrast; 0.75 by default.
    pub fn with_p_lighting(mut self, p: f64) -> Self {
        self.p_lighting = p;
        self
    }
}

impl From<TransformConfig> for Transforms {
    fn from(config: TransformConfig) -> Self {
        const ANYWHERE: Bounds = [0.0, 1.0];
        const CENTRE: Bounds = [0.5, 0.5];
        let TransformConfig {
            max_rotate,
            max_zoom,
            max_lighting,
            max_warp,
            p_affine,
            p_lighting,
            ..
        } = config;
        let mut train = vec![Transform::CropPad {
            row: ANYWHERE,
            col: ANYWHERE,
        }];
        match (config.do_flip, config.flip_vert) {
            (false, _) => {}
            (true, false) => train.push(Transform::FlipLr { p: 0.5 }),
            (true, true) => train.push(Transform::Dihedral { p: 1.0 }),
        }
        if max_warp != 0.0 {
            train.push(Transform::SymmetricWarp {
                magnitude: [-max_warp, max_warp],
                p: p_affine,
            });
        }
        if max_rotate != 0.0 {
            train.push(Transform::Rotate {
                degrees: [-max_rotate, max_rotate],
                p: p_affine,
            });
        }
        if max_zoom != 1.0 {
            train.push(Transform::Zoom {
                scale: [1.0, max_zoom],
                row: ANYWHERE,
                col: ANYWHERE,
                p: p_affine,
            });
        }
        if max_lighting != 0.0 {
            train.push(Transform::Brightness {
                change: [0.5 * (1.0 - max_lighting), 0.5 * (1.0 + max_lighting)],
                p: p_lighting,
            });
            train.push(Transform::Contrast {
                scale: [1.0 - max_lighting, 1.0 / (1.0 - max_lighting)],
                p: p_lighting,
            });
        }
        Self {
            train,
            valid: vec![Transform::CropPad {
                row: CENTRE,
                col: CENTRE,
            }],
        }
    }
}
