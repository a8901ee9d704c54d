use burn::{
    module::{Module, Param},
    tensor::{Tensor, module::linear},
};

use crate::init::Init;

/// A fully connected layer, `y = x Wᵀ + b`.
#[derive(Module, Debug)]
pub struct Linear {
    /// Shape `[out_features, in_features]`, PyTorch's layout.
    pub weight: Param<Tensor<2>>,
    /// Shape `[out_features]`.
    pub bias: Option<Param<Tensor<1>>>,
}

impl Linear {
    /// A layer with PyTorch's default initialisation: weight and bias from U(±1/√in_features).
    pub fn new(in_features: usize, out_features: usize, init: &mut Init) -> Self {
        let bound = 1.0 / (in_features as f64).sqrt();
        Self {
            weight: init.uniform([out_features, in_features], bound),
            bias: Some(init.uniform([out_features], bound)),
        }
    }

    /// A layer as fastai initialises the head: weight from N(0, √(2 / in_features)), bias 0.
    pub fn kaiming_normal(in_features: usize, out_features: usize, init: &mut Init) -> Self {
        let std = (2.0 / in_features as f64).sqrt();
        Self {
            weight: init.normal([out_features, in_features], std),
            bias: Some(init.zeros([out_features])),
        }
    }

    /// Maps `[batch, in_features]` to `[batch, out_features]`.
    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        // The transposition is a view: the matrix product reads either layout.
        linear(
            x,
            self.weight.val().transpose(),
            self.bias.as_ref().map(Param::val),
        )
    }
}
