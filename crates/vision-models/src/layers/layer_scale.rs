use burn::module::{Module, Param};
use burn::tensor::Tensor;
use vision_kernels::ops;

use super::DropPath;

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

fn scaled(x: Tensor<4>, gamma: &Param<Tensor<1>>) -> Tensor<4> {
    let gamma = ops::like(gamma.val(), &x);
    x * gamma.reshape([1, 1, 1, -1])
}

/// The input `x` of a block and its branch `y`, which may have a factor for each channel and stochastic depth. All are
/// `[batch, height, width, channels]`.
pub(crate) fn add_branch(
    x: Tensor<4>,
    y: Tensor<4>,
    gamma: Option<&Param<Tensor<1>>>,
    drop_path: Option<&DropPath>,
) -> Tensor<4> {
    let Some(drop_path) = drop_path.filter(|layer| layer.drops(&x.device())) else {
        return ops::add_branch(x, y, gamma.map(Param::val));
    };
    let y = match gamma {
        Some(gamma) => scaled(y, gamma),
        None => y,
    };
    x + drop_path.run(y)
}
