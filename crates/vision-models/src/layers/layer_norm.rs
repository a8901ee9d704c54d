use burn::module::{Module, Param};
use burn::tensor::Tensor;
use vision_kernels::ops;

use super::channels_last;
use crate::init::Init;

/// Layer normalization: the channels of each pixel, or of each token, get mean 0 and variance 1, a scale and a shift.
///
/// ```
/// use burn::tensor::Tensor;
/// use vision_models::{Init, layers::LayerNorm, state::values};
/// # let device = vision_models::test_device();
/// let norm = LayerNorm::new(2, &Init::new(0, &device));
/// let pixel = Tensor::<1>::from_floats([3.0, 5.0], &device).reshape([1, 2, 1, 1]);
/// let y = values(norm.forward(pixel));
/// assert!((y[0] + 1.0).abs() < 1e-5 && (y[1] - 1.0).abs() < 1e-5);
/// ```
#[derive(Module, Debug)]
pub struct LayerNorm {
    /// Scale, shape `[channels]`.
    pub weight: Param<Tensor<1>>,
    /// Shift, shape `[channels]`.
    pub bias: Param<Tensor<1>>,
    #[module(skip)]
    epsilon: f64,
}

impl LayerNorm {
    /// A layer with weight 1 and bias 0. Epsilon is 1e-6, as in timm.
    pub fn new(channels: usize, init: &Init) -> Self {
        Self {
            weight: init.ones([channels]),
            bias: init.zeros([channels]),
            epsilon: 1e-6,
        }
    }

    /// Sets what is added to the variance before the square root.
    pub fn with_epsilon(mut self, epsilon: f64) -> Self {
        self.epsilon = epsilon;
        self
    }

    /// Added to the variance before the square root.
    pub fn epsilon(&self) -> f64 {
        self.epsilon
    }

    /// Normalizes `[batch, channels, height, width]`.
    ///
    /// # Panics
    ///
    /// If the number of channels is not the layer's own.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        channels_last(x, |x| self.run(x))
    }

    pub(crate) fn run(&self, x: Tensor<4>) -> Tensor<4> {
        ops::layer_norm(x, [self.weight.val(), self.bias.val()], self.epsilon)
    }

    pub(crate) fn channels(&self) -> usize {
        self.weight.lazy_shape()[0]
    }
}
