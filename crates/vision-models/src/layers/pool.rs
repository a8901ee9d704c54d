use burn::tensor::Tensor;
use burn::tensor::module::adaptive_avg_pool2d;
use vision_kernels::ops;

use super::{channels_first, channels_last};

/// The maximum over square windows. Padding counts as −∞.
#[derive(Clone, Copy, Debug)]
pub struct MaxPool2d {
    pub(crate) kernel_size: usize,
    pub(crate) stride: usize,
    pub(crate) padding: usize,
    pub(crate) ceil_mode: bool,
}

impl MaxPool2d {
    /// Windows of `kernel_size`, every `stride` pixels, with `padding` pixels on each side.
    pub fn new(kernel_size: usize, stride: usize, padding: usize) -> Self {
        Self {
            kernel_size,
            stride,
            padding,
            ceil_mode: false,
        }
    }

    /// Adds a last window if the image ends inside it (PyTorch's `ceil_mode`).
    pub fn with_ceil_mode(mut self) -> Self {
        self.ceil_mode = true;
        self
    }

    /// Pools `[batch, channels, height, width]`.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        channels_last(x, |x| self.run(x))
    }

    pub(crate) fn run(&self, x: Tensor<4>) -> Tensor<4> {
        let pool = ops::MaxPool {
            kernel: self.kernel_size,
            stride: self.stride,
            padding: self.padding,
            ceil_mode: self.ceil_mode,
        };
        ops::max_pool(x, pool)
    }
}

/// The mean over adjacent square windows, without padding.
#[derive(Clone, Copy, Debug)]
pub struct AvgPool2d {
    pub(crate) size: usize,
    pub(crate) ceil_mode: bool,
}

impl AvgPool2d {
    /// Windows of `size` pixels.
    pub fn new(size: usize) -> Self {
        Self {
            size,
            ceil_mode: false,
        }
    }

    /// Adds a last window if the image ends inside it. Its mean is over the pixels that exist.
    pub fn with_ceil_mode(mut self) -> Self {
        self.ceil_mode = true;
        self
    }

    /// Pools `[batch, channels, height, width]`.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        channels_last(x, |x| self.run(x))
    }

    pub(crate) fn run(&self, x: Tensor<4>) -> Tensor<4> {
        let pool = ops::MeanPool {
            size: self.size,
            ceil_mode: self.ceil_mode,
        };
        ops::mean_windows(x, pool)
    }
}

/// The mean over a grid of `size` × `size` windows.
#[derive(Clone, Copy, Debug)]
pub struct AdaptiveAvgPool2d {
    pub(crate) size: usize,
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
        channels_first(x, |x| adaptive_avg_pool2d(x, [self.size; 2]))
    }
}

/// The maximum and the mean over the whole image, concatenated along the channels (maximum first).
#[derive(Clone, Copy, Debug, Default)]
pub struct AdaptiveConcatPool2d;

impl AdaptiveConcatPool2d {
    /// Pools `[batch, channels, height, width]` to `[batch, 2 * channels, 1, 1]`.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        channels_last(x, ops::concat_pool)
    }
}
