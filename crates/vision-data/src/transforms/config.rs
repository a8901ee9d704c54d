//! The arguments of `get_transforms`.

use crate::transforms::lists::Transforms;
use crate::transforms::transform::Transform;

/// fastai's default transforms: those of an unchanged [`TransformConfig::new`].
pub fn get_transforms() -> Transforms {
    TransformConfig::new().into()
}

/// The arguments of fastai's `get_transforms`.
///
/// For training: a random crop, a flip, a perspective warp, a rotation, a zoom, and changes of
/// brightness and contrast. Otherwise: a center crop.
///
/// ```
/// use vision_data::{TransformConfig, Transforms, get_transforms};
///
/// let gentle: Transforms = TransformConfig::new().with_max_rotate(5.0).with_max_warp(0.0).into();
/// assert_eq!(gentle.train.len(), get_transforms().train.len() - 1);
/// assert_eq!(gentle.valid, get_transforms().valid);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct TransformConfig {
    do_flip: bool,
    flip_vert: bool,
    max_rotate: f64,
    max_zoom: f64,
    max_lighting: f64,
    max_warp: f64,
    p_affine: f64,
    p_lighting: f64,
    xtra_tfms: Vec<Transform>,
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
            xtra_tfms: Vec::new(),
        }
    }
}

impl TransformConfig {
    /// fastai's defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether to flip at all. Default: true.
    #[doc(alias = "do_flip")]
    pub fn with_do_flip(mut self, do_flip: bool) -> Self {
        self.do_flip = do_flip;
        self
    }

    /// Whether to also flip vertically and rotate by 90 degrees. Default: false.
    #[doc(alias = "flip_vert")]
    pub fn with_flip_vert(mut self, flip_vert: bool) -> Self {
        self.flip_vert = flip_vert;
        self
    }

    /// Sets the largest rotation in degrees, in both directions. Default: 10; 0 for none.
    #[doc(alias = "max_rotate")]
    pub fn with_max_rotate(mut self, degrees: f64) -> Self {
        self.max_rotate = degrees;
        self
    }

    /// Sets the largest zoom. Default: 1.1; 1 for none. A value below 1 is an error when the data is built.
    /// (fastai then does not zoom at all; use [`Transform::zoom`] to zoom out.)
    #[doc(alias = "max_zoom")]
    pub fn with_max_zoom(mut self, scale: f64) -> Self {
        self.max_zoom = scale;
        self
    }

    /// Sets the largest change of brightness and contrast, below 1. Default: 0.2; 0 for none.
    #[doc(alias = "max_lighting")]
    pub fn with_max_lighting(mut self, change: f64) -> Self {
        self.max_lighting = change;
        self
    }

    /// Sets the largest magnitude of the warp, up to 0.5. Default: 0.2; 0 for none.
    #[doc(alias = "max_warp")]
    pub fn with_max_warp(mut self, magnitude: f64) -> Self {
        self.max_warp = magnitude;
        self
    }

    /// Sets the probability of each of warp, rotation and zoom. Default: 0.75.
    #[doc(alias = "p_affine")]
    pub fn with_p_affine(mut self, p: f64) -> Self {
        self.p_affine = p;
        self
    }

    /// Sets the probability of each of brightness and contrast. Default: 0.75.
    #[doc(alias = "p_lighting")]
    pub fn with_p_lighting(mut self, p: f64) -> Self {
        self.p_lighting = p;
        self
    }

    /// Adds further transforms for training. Default: none.
    #[doc(alias = "xtra_tfms")]
    pub fn with_xtra_tfms(mut self, transforms: impl IntoIterator<Item = Transform>) -> Self {
        self.xtra_tfms = transforms.into_iter().collect();
        self
    }
}

impl From<TransformConfig> for Transforms {
    fn from(config: TransformConfig) -> Self {
        let TransformConfig {
            do_flip,
            flip_vert,
            max_rotate,
            max_zoom,
            max_lighting,
            max_warp,
            p_affine,
            p_lighting,
            xtra_tfms,
        } = config;
        let mut train = vec![Transform::rand_crop()];
        if do_flip && flip_vert {
            train.push(Transform::dihedral_affine());
        } else if do_flip {
            train.push(Transform::flip_lr().with_p(0.5));
        }
        let affine = [
            (max_warp != 0.0).then(|| Transform::symmetric_warp(in_order(-max_warp, max_warp))),
            (max_rotate != 0.0).then(|| Transform::rotate(in_order(-max_rotate, max_rotate))),
            // A maximum below 1 puts the bounds out of order, which is an error later.
            (max_zoom != 1.0).then(|| Transform::rand_zoom([1.0, max_zoom])),
        ];
        train.extend(affine.into_iter().flatten().map(|t| t.with_p(p_affine)));
        if max_lighting != 0.0 {
            let change = in_order(0.5 * (1.0 - max_lighting), 0.5 * (1.0 + max_lighting));
            let scale = in_order(1.0 - max_lighting, 1.0 / (1.0 - max_lighting));
            train.push(Transform::brightness(change).with_p(p_lighting));
            train.push(Transform::contrast(scale).with_p(p_lighting));
        }
        train.extend(xtra_tfms);
        Self {
            train,
            valid: vec![Transform::crop_pad()],
        }
    }
}

/// fastai draws between two numbers in any order, so -10 degrees is equivalent to 10.
fn in_order(a: f64, b: f64) -> [f64; 2] {
    if b < a { [b, a] } else { [a, b] }
}
