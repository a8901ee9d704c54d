use burn::module::{Module, Param};
use burn::tensor::Tensor;
use vision_kernels::ops::{self, Activation};

use crate::init::{Init, WeightInit};

/// A fully connected layer, `y = x Wᵀ + b`.
#[derive(Module, Debug)]
pub struct Linear {
    /// Shape `[out_features, in_features]`, PyTorch's layout.
    pub weight: Param<Tensor<2>>,
    /// Shape `[out_features]`.
    pub bias: Option<Param<Tensor<1>>>,
}

impl Linear {
    /// A layer with PyTorch's default initialization: weight and bias from U(±1/√in_features).
    pub fn new(in_features: usize, out_features: usize, init: &mut Init) -> Self {
        Self::with_start(in_features, out_features, WeightInit::PyTorch, init)
    }

    /// A layer with fastai's initialization of the head: weight from N(0, √(2 / in_features)), bias
    /// 0.
    pub fn kaiming_normal(in_features: usize, out_features: usize, init: &mut Init) -> Self {
        Self::with_start(in_features, out_features, WeightInit::KaimingNormal, init)
    }

    /// A layer with the initialization `start`.
    pub fn with_start(
        in_features: usize,
        out_features: usize,
        start: WeightInit,
        init: &mut Init,
    ) -> Self {
        let shape = [out_features, in_features];
        Self {
            weight: init.weight(shape, start),
            bias: Some(init.bias(shape, start)),
        }
    }

    /// Maps `[batch, in_features]` to `[batch, out_features]`.
    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let bias = self.bias.as_ref().map(Param::val);
        ops::linear(x, self.weight.val(), bias)
    }

    /// Maps each pixel or token of `[batch, height, width, in_features]`.
    pub(crate) fn run(&self, x: Tensor<4>) -> Tensor<4> {
        each_pixel(x, |x| self.forward(x))
    }

    /// The layer for each pixel or token, and the activation that follows it.
    pub(crate) fn run_activated(&self, x: Tensor<4>, activation: Activation) -> Tensor<4> {
        let bias = self.bias.as_ref().map(Param::val);
        each_pixel(x, |x| {
            ops::linear_activation(x, self.weight.val(), bias, activation)
        })
    }
}

/// Maps the channels of each pixel or token.
fn each_pixel(x: Tensor<4>, map: impl FnOnce(Tensor<2>) -> Tensor<2>) -> Tensor<4> {
    let [n, h, w, features] = x.dims();
    let y = map(x.reshape([n * h * w, features]));
    let [_, features] = y.dims();
    y.reshape([n, h, w, features])
}
