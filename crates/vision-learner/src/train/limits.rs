//! Requirements that the model and the data place on each other.

use burn::tensor::Tensor;
use vision_data::ImageDataBunch;

use crate::{Error, Result};

/// What a model requires of images.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ImageLimits<'a> {
    pub(crate) arch: &'a str,
    /// Smallest side in pixels.
    pub(crate) min_size: usize,
}

impl ImageLimits<'_> {
    /// Checks images `[batch, 3, height, width]`.
    pub(crate) fn check(&self, images: &Tensor<4>) -> Result<()> {
        let [_, _, height, width] = images.dims();
        if height.min(width) >= self.min_size {
            return Ok(());
        }
        Err(Error::ImageTooSmall {
            arch: self.arch.to_owned(),
            expected: self.min_size,
            found: [height, width],
        })
    }
}

/// Checks that the model has as many outputs as the data has classes.
pub(crate) fn check_outputs(logits: &Tensor<2>, data: &ImageDataBunch) -> Result<()> {
    let found = logits.dims()[1];
    if found == data.c() {
        return Ok(());
    }
    Err(Error::Outputs {
        expected: data.c(),
        found,
        classes: data.classes().iter().take(5).cloned().collect(),
        hint: "give the model's last layer one output per class",
    })
}
