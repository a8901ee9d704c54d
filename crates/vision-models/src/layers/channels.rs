//! What knows where the channels are, beside the layers themselves.

use burn::tensor::Tensor;

/// Joins maps `[batch, channels, height, width]` of one size along their channels.
pub(crate) fn concat_channels(maps: Vec<Tensor<4>>) -> Tensor<4> {
    Tensor::cat(maps, 1)
}
