use burn::module::{Module, Param};
use burn::tensor::Tensor;

/// A factor for each channel (Touvron et al. 2021, <https://arxiv.org/abs/2103.17239>), on the branch of a block.
#[derive(Module, Debug)]
pub struct LayerScale {
    /// Shape `[channels]`.
    pub gamma: Param<Tensor<1>>,
}

impl LayerScale {
    /// Multiplies the channels of `[batch, height, width, channels]`.
    pub(crate) fn run(&self, x: Tensor<4>) -> Tensor<4> {
        scaled(x, &self.gamma)
    }
}

/// `[batch, height, width, channels]` times a factor for each channel.
pub(crate) fn scaled(x: Tensor<4>, gamma: &Param<Tensor<1>>) -> Tensor<4> {
    x * gamma.val().reshape([1, 1, 1, -1])
}
