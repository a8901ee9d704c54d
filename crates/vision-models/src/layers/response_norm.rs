use burn::module::{Module, Param};
use burn::tensor::Tensor;
use vision_kernels::ops::like;

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

/// Least sum of squares: at 0 the square root has no gradient, and PyTorch's norm counts it as 0.
const LEAST: f64 = 1e-30;

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
        let [weight, bias] = [&self.weight, &self.bias].map(|p| p.val().reshape([1, 1, 1, -1]));
        // The sums in the precision of the parameters.
        let wide = like(x.clone(), &weight);
        let squares = wide.clone() * wide;
        let norm = squares.sum_dim(1).sum_dim(2).clamp_min(LEAST).sqrt();
        let relative = norm.clone() / norm.mean_dim(3).add_scalar(Self::EPSILON);
        let (factors, bias) = (like(relative * weight, &x), like(bias, &x));
        x.clone() + x * factors + bias
    }
}
