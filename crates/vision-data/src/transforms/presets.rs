//! Presets: transforms that are used together.

use crate::transforms::bounds::Bounds;
use crate::transforms::builtin::crop::Crop;
use crate::transforms::builtin::random_resized_crop::RandomResizedCrop;
use crate::transforms::builtin::resize_center_crop::ResizeCenterCrop;
use crate::transforms::builtin::zoom_squish::ZoomSquish;
use crate::transforms::lists::Transforms;
use crate::transforms::padding::PaddingMode;
use crate::transforms::size::Size;
use crate::transforms::transform::Transform;

/// fastai's `rand_pad`: pads all sides by `pixels`, and crops to `size` at a random position.
///
/// It changes the size of the training images. If validation images have another size, the data needs a
/// `size` too.
///
/// ```
/// use vision_data::presets::rand_pad;
/// use vision_data::{PaddingMode, Transforms};
///
/// let mnist = Transforms { train: rand_pad(2, 28, PaddingMode::Reflection), valid: Vec::new() };
/// assert_eq!(mnist.train.len(), 2);
/// ```
pub fn rand_pad(pixels: u32, size: impl Into<Size>, mode: PaddingMode) -> Vec<Transform> {
    vec![
        Transform::pad(pixels, mode),
        Transform::Crop(Crop {
            size: size.into(),
            row: Bounds::PART,
            col: Bounds::PART,
        }),
    ]
}

/// fastai's `zoom_crop`: zooms with probability `p` and crops, both at the center, or at random positions
/// if `random`.
pub fn zoom_crop(scale: impl Into<Bounds>, random: bool, p: f64) -> Vec<Transform> {
    if random {
        vec![
            Transform::rand_zoom(scale).with_p(p),
            Transform::rand_crop(),
        ]
    } else {
        vec![Transform::zoom(scale).with_p(p), Transform::crop_pad()]
    }
}

/// fastai's `rand_resize_crop`: shows at least 1 / `max_scale` of the area, with an aspect ratio
/// within `ratios`, and crops to `size`, in one resampling. fastai's defaults are 2 and
/// `[0.75, 1.33]`.
pub fn rand_resize_crop(
    size: impl Into<Size>,
    max_scale: f64,
    ratios: impl Into<Bounds>,
) -> Vec<Transform> {
    vec![
        Transform::ZoomSquish(ZoomSquish {
            scale: [1.0, max_scale].into(),
            squish: ratios.into(),
            row: Bounds::PART,
            col: Bounds::PART,
            p: 1.0,
        }),
        Transform::crop(size),
    ]
}

/// torchvision's pair for ImageNet, with its defaults: [`RandomResizedCrop`] of at least 8 % of the area
/// for training, [`ResizeCenterCrop`] otherwise. fastai v1 calls it `presize`. Needs a `size`.
#[doc(alias = "presize")]
pub fn random_resized_crop() -> Transforms {
    Transforms {
        train: vec![Transform::RandomResizedCrop(RandomResizedCrop {
            scale: [0.08, 1.0].into(),
            ratio: [3.0 / 4.0, 4.0 / 3.0].into(),
        })],
        valid: vec![Transform::ResizeCenterCrop(ResizeCenterCrop { extra: 32 })],
    }
}
