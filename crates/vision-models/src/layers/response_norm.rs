use burn::module::{Module, Param};
use burn::tensor::Tensor;
use vision_kernels::ops;

use crate::init::Init;

/// Global response normalization (Woo et al. 2023, <https://arxiv.org/abs/2301.00808>, section 3): each channel is
/// scaled by its norm over the image, relative to the mean norm of all channels, and added to the input.
#[derive(Module, Debug)]
pub struct ResponseNorm {
    /// Scale, shape `[channels]`.
    pub weight: Param<Tensor<1>>,
    /// Shift, shape `[channels]`.
    pub bias: Param<Tensor<1>>,
}

impl ResponseNorm {
    /// Added to the mean norm.
    pub(crate) const EPSILON: f64 = 1e-6;

    /// A layer that starts as the identity, with weight 0 and bias 0.
    pub(crate) fn new(channels: usize, init: &Init) -> Self {
        Self {
            weight: init.zeros([channels]),
            bias: init.zeros([channels]),
        }
    }

    /// Maps `[batch, height, width, channels]` to the same shape.
    pub(crate) fn run(&self, x: Tensor<4>) -> Tensor<4> {
        ops::response_norm(x, [self.weight.val(), self.bias.val()], Self::EPSILON)
    }
}
