//! Operations that depend on the channel layout.

use burn::tensor::Tensor;

/// Concatenates maps `[batch, channels, height, width]` of the same size along their channels.
pub(crate) fn concat_channels(maps: Vec<Tensor<4>>) -> Tensor<4> {
    Tensor::cat(maps, 3)
}

/// Applies a function on `[batch, height, width, channels]` to `[batch, channels, height, width]`,
/// the layout outside this crate. The permutations are views, and those between two layers cancel
/// out.
pub(crate) fn channels_last(x: Tensor<4>, f: impl FnOnce(Tensor<4>) -> Tensor<4>) -> Tensor<4> {
    f(x.permute([0, 2, 3, 1])).permute([0, 3, 1, 2])
}

/// The reverse of [`channels_last`], for Burn's own operations.
pub(crate) fn channels_first(x: Tensor<4>, f: impl FnOnce(Tensor<4>) -> Tensor<4>) -> Tensor<4> {
    f(x.permute([0, 3, 1, 2])).permute([0, 2, 3, 1])
}

/// `[batch, height, width, channels]` to `[batch, 1, 1, channels * height * width]`, in PyTorch's
/// order: all pixels of one channel, then those of the next.
pub(crate) fn flatten(x: Tensor<4>) -> Tensor<4> {
    let [n, h, w, c] = x.dims();
    let x = if h * w > 1 {
        x.permute([0, 3, 1, 2])
    } else {
        x
    };
    x.reshape([n, 1, 1, c * h * w])
}
