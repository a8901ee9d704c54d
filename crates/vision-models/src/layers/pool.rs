use burn::tensor::{Tensor, module::adaptive_avg_pool2d};
use vision_kernels::ops;

use super::channels_last;

/// The maximum over square windows; padding counts as −∞.
#[derive(Clone, Copy, Debug)]
pub struct MaxPool2d(ops::MaxPool);

impl MaxPool2d {
    /// Windows of `kernel_size` every `stride` pixels, over `padding` more on each side.
    pub fn new(kernel_size: usize, stride: usize, padding: usize) -> Self {
        Self(ops::MaxPool {
            kernel: kernel_size,
            stride,
            padding,
            ceil_mode: false,
        })
    }

    /// Pools `[batch, channels, height, width]`.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        channels_last(x, |x| self.run(x))
    }

    pub(crate) fn run(&self, x: Tensor<4>) -> Tensor<4> {
        ops::max_pool(x, self.0)
    }
}

/// The mean over a grid of `size` × `size` windows.
#[derive(Clone, Copy, Debug)]
pub struct AdaptiveAvgPool2d {
    size: usize,
}

impl AdaptiveAvgPool2d {
    /// A pool whose output is `size` pixels high and wide.
    pub fn new(size: usize) -> Self {
        Self { size }
    }

    /// Pools `[batch, channels, height, width]` to `[batch, channels, size, size]`.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        channels_last(x, |x| self.run(x))
    }

    pub(crate) fn run(&self, x: Tensor<4>) -> Tensor<4> {
        if self.size == 1 {
            return ops::mean_pool(x);
        }
        let x = x.permute([0, 3, 1, 2]);
        adaptive_avg_pool2d(x, [self.size; 2]).permute([0, 2, 3, 1])
    }
}

/// The maximum and the mean over the whole picture, one after the other on the channels (maximum first).
#[derive(Clone, Copy, Debug, Default)]
pub struct AdaptiveConcatPool2d;

impl AdaptiveConcatPool2d {
    /// Pools `[batch, channels, height, width]` to `[batch, 2 * channels, 1, 1]`.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        channels_last(x, |x| self.run(x))
    }

    pub(crate) fn run(&self, x: Tensor<4>) -> Tensor<4> {
        ops::concat_pool(x)
    }
}
