use burn::module::{Module, Param};
use burn::tensor::Tensor;
use vision_kernels::ops::{self, Activation, Conv, Padding, WeightCache};

use super::{BatchNorm, channels_last};
use crate::init::{Init, WeightInit};

/// Settings of a [`Conv2d`]. Kernels are square.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ConvConfig {
    /// Input channels.
    pub in_channels: usize,
    /// Output channels.
    pub out_channels: usize,
    /// Side of the kernel in pixels.
    pub kernel_size: usize,
    /// Distance between output pixels, in input pixels. Default: 1.
    pub stride: usize,
    /// Zeros added on each side. Default: 0.
    pub padding: usize,
    /// Whether as many zeros are added as [`SamePadding`] says, instead of `padding`. Default: false.
    pub same: bool,
    /// Number of independent groups of channels. Default: 1.
    pub groups: usize,
    /// Whether a bias is added. Default: false, because a batch norm follows.
    pub bias: bool,
    /// Initialization. Default: [`WeightInit::KaimingNormalFanOut`], torchvision's choice for
    /// ResNets.
    pub start: WeightInit,
}

impl ConvConfig {
    /// A convolution with stride 1, no padding, one group and no bias.
    pub const fn new(in_channels: usize, out_channels: usize, kernel_size: usize) -> Self {
        Self {
            in_channels,
            out_channels,
            kernel_size,
            stride: 1,
            padding: 0,
            same: false,
            groups: 1,
            bias: false,
            start: WeightInit::KaimingNormalFanOut,
        }
    }

    /// Sets the stride.
    pub const fn with_stride(mut self, stride: usize) -> Self {
        self.stride = stride;
        self
    }

    /// Sets the padding.
    pub const fn with_padding(mut self, padding: usize) -> Self {
        self.padding = padding;
        self
    }

    /// Adds as many zeros as [`SamePadding`] says.
    pub const fn with_same_padding(mut self) -> Self {
        self.same = true;
        self
    }

    /// Sets the number of independent groups of channels.
    pub const fn with_groups(mut self, groups: usize) -> Self {
        self.groups = groups;
        self
    }

    /// Adds a bias.
    pub const fn with_bias(mut self) -> Self {
        self.bias = true;
        self
    }

    /// Sets the initialization.
    pub const fn with_start(mut self, start: WeightInit) -> Self {
        self.start = start;
        self
    }

    /// Builds the layer with its initial weights.
    pub fn init(&self, init: &mut Init) -> Conv2d {
        let k = self.kernel_size;
        let shape = [self.out_channels, self.in_channels / self.groups, k, k];
        let weight = init.weight(shape, self.start);
        let bias = self.bias.then(|| init.bias(shape, self.start));
        Conv2d {
            weight,
            bias,
            stride: self.stride,
            padding: self.padding,
            same: self.same,
            groups: self.groups,
            cache: WeightCache::default(),
        }
    }
}

/// A two-dimensional convolution.
#[derive(Module, Debug)]
pub struct Conv2d {
    /// Shape `[out_channels, in_channels / groups, kernel, kernel]`.
    pub weight: Param<Tensor<4>>,
    /// Shape `[out_channels]`.
    pub bias: Option<Param<Tensor<1>>>,
    #[module(skip)]
    pub(crate) stride: usize,
    #[module(skip)]
    pub(crate) padding: usize,
    #[module(skip)]
    pub(crate) same: bool,
    #[module(skip)]
    pub(crate) groups: usize,
    #[module(skip)]
    cache: WeightCache,
}

impl Conv2d {
    /// Convolves `[batch, in_channels, height, width]` to `[batch, out_channels, height', width']`.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        channels_last(x, |x| self.run(x))
    }

    /// Convolves `[batch, height, width, in_channels]` to `[batch, height', width', out_channels]`.
    pub(crate) fn run(&self, x: Tensor<4>) -> Tensor<4> {
        let bias = self.bias.as_ref().map(Param::val);
        let options = self.options(&x);
        ops::conv2d(x, self.weight.val(), bias, options, Some(&self.cache))
    }

    /// The convolution and the activation that follows it.
    pub(crate) fn run_activated(&self, x: Tensor<4>, activation: Activation) -> Tensor<4> {
        let bias = self.bias.as_ref().map(Param::val);
        let options = self.options(&x);
        let cache = Some(&self.cache);
        ops::conv2d_activation(x, self.weight.val(), bias, options, activation, cache)
    }

    /// The convolution and its usual followers: a batch normalization, a residual, an activation.
    pub(crate) fn run_with(
        &self,
        x: Tensor<4>,
        norm: &BatchNorm,
        residual: Option<Tensor<4>>,
        activation: Option<Activation>,
    ) -> Tensor<4> {
        let device = x.device();
        if self.bias.is_some() || norm.uses_the_batch(&device) {
            return norm.run(self.run(x), residual, activation);
        }
        let norm = norm.fixed(&device, activation);
        let options = self.options(&x);
        let weight = self.weight.val();
        ops::conv2d_batch_norm(x, weight, options, norm, residual, Some(&self.cache))
    }

    /// The settings for an input.
    fn options(&self, x: &Tensor<4>) -> Conv {
        let padding = if self.same {
            let [_, height, width, _] = x.dims();
            let kernel = self.weight.lazy_shape()[2];
            let [rows, columns] = [height, width].map(|side| {
                let zeros = SamePadding::of(side, kernel, self.stride);
                [zeros.before, zeros.after]
            });
            Padding { rows, columns }
        } else {
            self.padding.into()
        };
        Conv {
            stride: self.stride,
            padding,
            groups: self.groups,
            ..Conv::default()
        }
    }
}

/// TensorFlow's padding `SAME` along one side: zeros for as many outputs as there are strides in the input, rounded
/// up. If their number is odd, there is one more after the input than before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SamePadding {
    /// Zeros before the input.
    pub before: usize,
    /// Zeros after the input.
    pub after: usize,
}

impl SamePadding {
    /// For an input of `side` pixels. `kernel` and `stride` are at least 1.
    ///
    /// ```
    /// use vision_models::layers::SamePadding;
    /// assert_eq!(SamePadding::of(224, 3, 2), SamePadding { before: 0, after: 1 });
    /// assert_eq!(SamePadding::of(225, 3, 2), SamePadding { before: 1, after: 1 });
    /// ```
    pub fn of(side: usize, kernel: usize, stride: usize) -> Self {
        let stride = stride.max(1);
        // The last window begins here.
        let last = side
            .div_ceil(stride)
            .saturating_sub(1)
            .saturating_mul(stride);
        let all = last.saturating_add(kernel).saturating_sub(side);
        Self {
            before: all / 2,
            after: all - all / 2,
        }
    }

    /// The number of outputs along a side.
    pub(crate) fn outputs(side: usize, stride: usize) -> usize {
        side.div_ceil(stride.max(1))
    }
}
