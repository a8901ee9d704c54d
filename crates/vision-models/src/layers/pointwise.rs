use burn::module::Module;
use burn::tensor::Tensor;
use vision_kernels::ops::Activation;

use super::{Conv2d, ConvConfig, Linear};
use crate::init::{Init, WeightInit};

/// A linear map of the channels of each pixel or token.
///
/// Networks store its weight as that of a linear layer, `[outputs, inputs]`, or of a 1×1 convolution,
/// `[outputs, inputs, 1, 1]`.
#[derive(Module, Debug)]
#[allow(clippy::large_enum_variant)] // a few hundred bytes a layer, beside megabytes of weights
pub enum Pointwise {
    /// A 1×1 convolution.
    Conv(Conv2d),
    /// A linear layer.
    Linear(Linear),
}

impl Pointwise {
    /// A map with a bias.
    pub(crate) fn new(
        [inputs, outputs]: [usize; 2],
        conv: bool,
        start: WeightInit,
        init: &mut Init,
    ) -> Self {
        if conv {
            let config = ConvConfig::new(inputs, outputs, 1);
            Self::Conv(config.with_bias().with_start(start).init(init))
        } else {
            Self::Linear(Linear::with_start(inputs, outputs, start, init))
        }
    }

    /// Maps `[batch, height, width, inputs]` to `[batch, height, width, outputs]`.
    pub(crate) fn run(&self, x: Tensor<4>) -> Tensor<4> {
        match self {
            Self::Conv(conv) => conv.run(x),
            Self::Linear(linear) => linear.run(x),
        }
    }

    /// The map and the activation that follows it.
    pub(crate) fn run_activated(&self, x: Tensor<4>, activation: Activation) -> Tensor<4> {
        match self {
            Self::Conv(conv) => conv.run_activated(x, activation),
            Self::Linear(linear) => linear.run_activated(x, activation),
        }
    }

    /// Inputs and outputs.
    pub(crate) fn sizes(&self) -> [usize; 2] {
        let shape = match self {
            Self::Conv(conv) => conv.weight.lazy_shape(),
            Self::Linear(linear) => linear.weight.lazy_shape(),
        };
        [shape[1], shape[0]]
    }
}
