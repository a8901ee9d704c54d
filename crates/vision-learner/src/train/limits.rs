//! Requirements that the model and the data place on each other.

use burn::tensor::Tensor;

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

/// Checks that the model has as many outputs as the data: one per class, or per number.
pub(crate) fn check_outputs(logits: &Tensor<2>, expected: usize, classes: &[String]) -> Result<()> {
    let found = logits.dims()[1];
    if found == expected {
        return Ok(());
    }
    Err(Error::Outputs {
        expected,
        found,
        classes: classes.iter().take(5).cloned().collect(),
        hint: "give the model's last layer one output per class",
    })
}
