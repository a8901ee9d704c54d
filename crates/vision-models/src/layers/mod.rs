//! Layers with PyTorch's parameter names, layout, initialisation and numbers.
//!
//! They store what a PyTorch state dict stores (`weight` is `[out, in]` in [`Linear`]; [`BatchNorm`] has
//! `weight`, `bias`, `running_mean` and `running_var`), so that a checkpoint travels in both directions
//! without a table of renames or transpositions. Training behaviour follows Burn's rule: a layer trains
//! when its input lives on an autodiff device *and* its own `training` flag is on.

mod batch_norm;
mod conv;
mod dropout;
mod linear;
mod pool;
mod sequential;

pub use batch_norm::BatchNorm;
pub use conv::{Conv2d, ConvConfig};
pub use dropout::{Dropout, RandomStream};
pub use linear::Linear;
pub use pool::{AdaptiveAvgPool2d, AdaptiveConcatPool2d, MaxPool2d};
pub use sequential::{Layer, Sequential};

use burn::tensor::Tensor;

/// Applies what works on `[batch, height, width, channels]` to `[batch, channels, height, width]`, which is
/// what everything outside this crate sees. The permutations are views, and those between two layers
/// cancel out.
fn channels_last(x: Tensor<4>, f: impl FnOnce(Tensor<4>) -> Tensor<4>) -> Tensor<4> {
    f(x.permute([0, 2, 3, 1])).permute([0, 3, 1, 2])
}
