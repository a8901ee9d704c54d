//! The kernels as operations on Burn's tensors, with gradients.
//!
//! Activations are `[batch, height, width, channels]`; weights have PyTorch's shapes. On the CPU
//! (Burn's Flex backend, `f32`) each operation is one of this crate's kernels, with a handwritten
//! gradient. On GPUs, batch normalization in training, Adam and averages of weights have kernels. All else consists of Burn's own
//! operations there, as on the CPU cases without a kernel (a dilated kernel of a convolution that is not depthwise), and gives the
//! same numbers up to rounding.
//!
//! ```
//! use burn::tensor::{Distribution, Tensor};
//! use vision_kernels::ops::{Conv, conv2d};
//! # let device = Default::default();
//!
//! let images = Tensor::<4>::random([2, 28, 28, 3], Distribution::Default, &device);
//! let weight = Tensor::<4>::random([64, 3, 7, 7], Distribution::Default, &device);
//! let conv = Conv { stride: 2, padding: 3.into(), ..Conv::default() };
//! assert_eq!(conv2d(images, weight, None, conv, None).dims(), [2, 14, 14, 64]);
//! ```

use std::sync::atomic::{AtomicU8, Ordering};

pub use across::{Across, across};
use burn::tensor::{Device, Int, Tensor, TensorData};
pub use cache::WeightCache;

pub use crate::activation::Activation;
use crate::adam::Adam;
#[cfg(feature = "flex")]
use crate::batch_norm::Stats;
use crate::buffers::Buffer;
use crate::conv::Accuracy;
use crate::error::{ShapeError, check_len};
pub use crate::padding::Padding;
pub use crate::pool::MeanPool;

mod across;
mod cache;
#[cfg(feature = "cube")]
mod cube;
#[cfg(feature = "flex")]
mod flex;
#[cfg(feature = "flex")]
mod memory;
mod stock;
mod sums;

/// Uses a kernel if there is one for these tensors.
macro_rules! kernel {
    ($($call:tt)*) => {
        #[cfg(feature = "flex")]
        if let Some(result) = flex::$($call)* {
            return result;
        }
    };
}

/// The settings of a convolution. Kernels are square.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conv {
    /// Distance between output pixels, in input pixels.
    pub stride: usize,
    /// Zeros added around the image.
    pub padding: Padding,
    /// Number of independent groups of channels.
    pub groups: usize,
    /// Distance between kernel taps, in input pixels.
    pub dilation: usize,
}

impl Default for Conv {
    /// Stride 1, no padding, one group, no dilation.
    fn default() -> Self {
        Self {
            stride: 1,
            padding: Padding::same(0),
            groups: 1,
            dilation: 1,
        }
    }
}

/// Max pooling over square windows. Padding counts as −∞.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MaxPool {
    /// Side of a window.
    pub kernel: usize,
    /// Distance between windows, in pixels.
    pub stride: usize,
    /// Pixels added on each side; at most half a window.
    pub padding: usize,
    /// Whether windows may extend beyond the far side.
    pub ceil_mode: bool,
}

/// A batch normalization with fixed statistics; all tensors `[channels]`.
#[derive(Clone, Debug)]
pub struct BatchNormEval {
    /// Scale.
    pub gamma: Tensor<1>,
    /// Shift.
    pub beta: Tensor<1>,
    /// Mean.
    pub mean: Tensor<1>,
    /// Variance.
    pub variance: Tensor<1>,
    /// Added to the variance before the square root.
    pub eps: f64,
    /// The function that follows.
    pub activation: Option<Activation>,
}

#[cfg(feature = "flex")]
impl BatchNormEval {
    /// The equivalent factor and term per channel.
    fn folded(&self) -> Option<[Vec<f32>; 2]> {
        let (gamma, beta) = (read(&self.gamma)?, read(&self.beta)?);
        let (mean, variance) = (read(&self.mean)?, read(&self.variance)?);
        let scale = gamma.iter().zip(&variance);
        let scale = scale.map(|(g, v)| f64::from(*g) / (f64::from(*v) + self.eps).sqrt());
        let scale: Vec<f64> = scale.collect();
        let shift = beta.iter().zip(&mean).zip(&scale);
        let shift = shift.map(|((b, m), s)| (f64::from(*b) - f64::from(*m) * s) as f32);
        let shift = shift.collect();
        Some([scale.iter().map(|s| *s as f32).collect(), shift])
    }

    fn statistics(&self) -> Option<Stats> {
        Stats::from_running(&read(&self.mean)?, &read(&self.variance)?, self.eps as f32).ok()
    }
}

/// The data for `Tensor::from_data`, from values in row-major order. On the CPU the tensor takes
/// over the buffer without a copy, and the memory is recycled when the last clone of the tensor is
/// dropped.
///
/// # Errors
///
/// [`ShapeError`] if the number of values does not match the shape.
///
/// ```
/// # use burn::tensor::Tensor;
/// use vision_kernels::{buffers, ops};
///
/// let mut values = buffers::take(12);
/// values.fill(0.5);
/// let data = ops::tensor_data(values, [1, 3, 2, 2])?;
/// assert_eq!(Tensor::<4>::from_data(data, &Default::default()).dims(), [1, 3, 2, 2]);
/// # Ok::<(), vision_kernels::ShapeError>(())
/// ```
pub fn tensor_data(values: Buffer, shape: [usize; 4]) -> Result<TensorData, ShapeError> {
    check_len("values", shape.iter().product(), values.len())?;
    #[cfg(feature = "flex")]
    let data = memory::data(values, shape);
    #[cfg(not(feature = "flex"))]
    let data = TensorData::new(values.into_vec(), shape);
    Ok(data)
}

/// Images `[batch, 3, height, width]` on a device, from a byte for each value: `(byte / 255 - mean) / deviation`, with the means and
/// the deviations of the three channels. The device gets the bytes, a quarter of what floats would be.
///
/// # Errors
///
/// [`ShapeError`] for other than three channels, and if the number of bytes does not match the shape.
///
/// ```
/// use vision_kernels::ops;
///
/// let stats = [[0.5; 3], [0.25; 3]];
/// let images = ops::images_of_bytes(&[0, 255, 51], [1, 3, 1, 1], stats, &Default::default())?;
/// let values: Vec<f32> = images.into_data().try_to_vec().unwrap();
/// assert_eq!(values, [-2.0, 2.0, -1.2]);
/// # Ok::<(), vision_kernels::ShapeError>(())
/// ```
pub fn images_of_bytes(
    bytes: &[u8],
    shape: [usize; 4],
    stats: [[f32; 3]; 2],
    device: &Device,
) -> Result<Tensor<4>, ShapeError> {
    check_len("channels", 3, shape[1])?;
    let len = shape.iter().fold(1, |len: usize, n| len.saturating_mul(*n));
    check_len("bytes", len, bytes.len())?;
    #[cfg(feature = "cube")]
    if let Some(images) = cube::images_of_bytes(bytes, shape, stats, device) {
        return Ok(images);
    }
    Ok(stock::images_of_bytes(bytes, shape, stats, device))
}

#[cfg(feature = "flex")]
fn read(tensor: &Tensor<1>) -> Option<Vec<f32>> {
    tensor.to_data().try_to_vec::<f32>().ok()
}

/// Result of [`batch_norm_training`].
#[derive(Clone, Debug)]
pub struct Normalized {
    /// The output, `[batch, height, width, channels]`.
    pub output: Tensor<4>,
    /// Mean of the batch, `[channels]`, without gradient.
    pub mean: Tensor<1>,
    /// Biased variance of the batch, `[channels]`, without gradient.
    pub variance: Tensor<1>,
    /// The number of values of a channel in the batch.
    pub count: usize,
}

static ACCURACY: AtomicU8 = AtomicU8::new(Accuracy::Balanced as u8);

/// The accuracy of convolutions, for the whole process. Default: [`Accuracy::Balanced`].
#[expect(clippy::expect_used, reason = "only a variant is ever stored")]
pub fn accuracy() -> Accuracy {
    let now = ACCURACY.load(Ordering::Relaxed);
    let mut all = [Accuracy::Direct, Accuracy::Balanced, Accuracy::Fast].into_iter();
    all.find(|mode| *mode as u8 == now).expect("a variant")
}

/// Sets the accuracy of convolutions, for the whole process.
///
/// A run is repeatable bit for bit as long as this does not change.
pub fn set_accuracy(accuracy: Accuracy) {
    ACCURACY.store(accuracy as u8, Ordering::Relaxed);
}

/// `x` in the precision of `other`: the operations here compute in that of their input, whatever their parameters have.
/// Gradients of `x` keep its own precision.
///
/// ```
/// # use burn::tensor::{DType, Tensor};
/// use vision_kernels::ops::like;
/// # let device = Default::default();
///
/// let half = Tensor::<1>::ones([4], &device).cast(DType::BF16);
/// assert_eq!(like(Tensor::<1>::ones([2], &device), &half).dtype(), DType::BF16);
/// ```
pub fn like<const D: usize, const E: usize>(x: Tensor<D>, other: &Tensor<E>) -> Tensor<D> {
    stock::like(x, other)
}

/// Convolves `[batch, height, width, in_channels]` with
/// `[out_channels, in_channels / groups, k, k]` and adds a bias `[out_channels]`. `cache` is the
/// layer's cache for these weights.
///
/// # Panics
///
/// If the shapes do not fit together.
pub fn conv2d(
    x: Tensor<4>,
    weight: Tensor<4>,
    bias: Option<Tensor<1>>,
    conv: Conv,
    cache: Option<&WeightCache>,
) -> Tensor<4> {
    kernel!(conv2d(&x, &weight, bias.as_ref(), conv, cache));
    stock::conv2d(x, weight, bias, conv)
}

/// A fully connected layer, `y = x Wᵀ + b`: maps `[batch, in_features]` with a weight
/// `[out_features, in_features]` to `[batch, out_features]`.
///
/// # Panics
///
/// If the shapes do not fit together.
pub fn linear(x: Tensor<2>, weight: Tensor<2>, bias: Option<Tensor<1>>) -> Tensor<2> {
    kernel!(linear(&x, &weight, bias.as_ref()));
    stock::linear(x, weight, bias)
}

/// [`conv2d`], then an activation.
///
/// Without gradients, on the CPU, this is one pass over the output.
///
/// # Panics
///
/// If the shapes do not fit together.
pub fn conv2d_activation(
    x: Tensor<4>,
    weight: Tensor<4>,
    bias: Option<Tensor<1>>,
    conv: Conv,
    activation: Activation,
    cache: Option<&WeightCache>,
) -> Tensor<4> {
    kernel!(conv2d_activation(
        (&x, &weight),
        bias.as_ref(),
        conv,
        activation,
        cache
    ));
    activate(conv2d(x, weight, bias, conv, cache), activation)
}

/// [`linear`], then an activation: one pass over the output on the CPU without gradients.
///
/// # Panics
///
/// If the shapes do not fit together.
pub fn linear_activation(
    x: Tensor<2>,
    weight: Tensor<2>,
    bias: Option<Tensor<1>>,
    activation: Activation,
) -> Tensor<2> {
    kernel!(linear_activation(&x, &weight, bias.as_ref(), activation));
    let y = linear(x, weight, bias);
    let [batch, outputs] = y.dims();
    activate(y.reshape([batch, 1, 1, outputs]), activation).reshape([batch, outputs])
}

/// [`conv2d`] without bias, then [`batch_norm_eval`].
///
/// Without gradients, on the CPU, this is one pass over the output.
///
/// # Panics
///
/// If the shapes do not fit together.
pub fn conv2d_batch_norm(
    x: Tensor<4>,
    weight: Tensor<4>,
    conv: Conv,
    norm: BatchNormEval,
    residual: Option<Tensor<4>>,
    cache: Option<&WeightCache>,
) -> Tensor<4> {
    kernel!(conv2d_batch_norm(
        (&x, &weight),
        conv,
        &norm,
        residual.as_ref(),
        cache
    ));
    batch_norm_eval(conv2d(x, weight, None, conv, cache), norm, residual)
}

/// Normalizes with the statistics of the batch, adds a residual, applies an activation. Within [`across`], with kernels, the
/// batch is that of all processes.
///
/// # Panics
///
/// If the shapes do not fit together.
pub fn batch_norm_training(
    x: Tensor<4>,
    [gamma, beta]: [Tensor<1>; 2],
    eps: f64,
    residual: Option<Tensor<4>>,
    activation: Option<Activation>,
) -> Normalized {
    kernel!(batch_norm_training(
        &x,
        [&gamma, &beta],
        eps,
        residual.as_ref(),
        activation
    ));
    #[cfg(feature = "cube")]
    if let Some(result) =
        cube::batch_norm_training(&x, [&gamma, &beta], eps, residual.as_ref(), activation)
    {
        return result;
    }
    stock::batch_norm_training(x, [gamma, beta], eps, residual, activation)
}

/// Normalizes with fixed statistics, adds a residual, applies an activation.
///
/// # Panics
///
/// If the shapes do not fit together.
pub fn batch_norm_eval(
    x: Tensor<4>,
    norm: BatchNormEval,
    residual: Option<Tensor<4>>,
) -> Tensor<4> {
    kernel!(batch_norm_eval(&x, &norm, residual.as_ref()));
    stock::batch_norm_eval(x, norm, residual)
}

/// The maximum over square windows of `[batch, height, width, channels]`.
///
/// # Panics
///
/// If a window is larger than the padded image.
pub fn max_pool(x: Tensor<4>, pool: MaxPool) -> Tensor<4> {
    kernel!(max_pool(&x, pool));
    stock::max_pool(x, pool)
}

/// The mean over adjacent square windows of `[batch, height, width, channels]`.
///
/// # Panics
///
/// If a window is larger than the image (without [`MeanPool::ceil_mode`]).
pub fn mean_windows(x: Tensor<4>, pool: MeanPool) -> Tensor<4> {
    kernel!(mean_windows(&x, pool));
    stock::mean_windows(x, pool)
}

/// fastai's `AdaptiveConcatPool2d(1)`: the maximum of each channel, then the mean;
/// `[batch, height, width, channels]` to `[batch, 1, 1, 2 * channels]`.
pub fn concat_pool(x: Tensor<4>) -> Tensor<4> {
    kernel!(concat_pool(&x));
    stock::concat_pool(x)
}

/// The mean of each channel: `[batch, height, width, channels]` to `[batch, 1, 1, channels]`.
pub fn mean_pool(x: Tensor<4>) -> Tensor<4> {
    kernel!(mean_pool(&x));
    stock::mean_pool(x)
}

/// max(x, 0).
pub fn relu(x: Tensor<4>) -> Tensor<4> {
    activate(x, Activation::Relu)
}

/// min(max(x, 0), 6).
pub fn relu6(x: Tensor<4>) -> Tensor<4> {
    activate(x, Activation::Relu6)
}

/// Applies an activation function to each value.
pub fn activate(x: Tensor<4>, function: Activation) -> Tensor<4> {
    kernel!(activate(&x, function));
    stock::activate(x, function)
}

/// Multiplies each channel of each image with its factor: `[batch, height, width, channels]` with
/// `[batch, 1, 1, channels]`.
///
/// # Panics
///
/// If the shapes do not fit together.
pub fn scale_channels(x: Tensor<4>, factors: Tensor<4>) -> Tensor<4> {
    kernel!(scale_channels(&x, &factors));
    x * factors
}

/// Adds the branch `y` of a block to its input `x`, both `[batch, height, width, channels]`: `x + factors * y`, with a factor
/// for each channel, `[channels]`, or without.
///
/// # Panics
///
/// If the shapes do not fit together.
pub fn add_branch(x: Tensor<4>, y: Tensor<4>, factors: Option<Tensor<1>>) -> Tensor<4> {
    kernel!(add_branch(&x, &y, factors.as_ref()));
    match factors {
        Some(factors) => {
            let factors = like(factors, &y).reshape([1, 1, 1, -1]);
            x + y * factors
        }
        None => x + y,
    }
}

/// Normalizes the channels of each pixel to mean 0 and variance 1, then multiplies with `gamma` and adds `beta`, both
/// `[channels]`. `eps` is added to the variance.
///
/// # Panics
///
/// If the shapes do not fit together.
pub fn layer_norm(x: Tensor<4>, [gamma, beta]: [Tensor<1>; 2], eps: f64) -> Tensor<4> {
    kernel!(layer_norm(&x, [&gamma, &beta], eps));
    stock::layer_norm(x, [gamma, beta], eps)
}

/// Global response normalization (S. Woo et al., 2023): with the norm of each channel over the pixels of its image,
/// `x * (1 + scale * norm / (mean of the norms + eps)) + shift`. `x` is `[batch, height, width, channels]`, `scale` and `shift`
/// are `[channels]`.
///
/// # Panics
///
/// If the shapes do not fit together.
pub fn response_norm(x: Tensor<4>, [scale, shift]: [Tensor<1>; 2], eps: f64) -> Tensor<4> {
    kernel!(response_norm(&x, [&scale, &shift], eps));
    stock::response_norm(x, [scale, shift], eps)
}

/// Attention of each token to all tokens of its image: `softmax(q kᵀ / √size) v` in each head. `qkv` is
/// `[batch, 1, tokens, 3 * heads * size]`: the queries of all heads, the keys, the values, as in timm. Returns
/// `[batch, 1, tokens, heads * size]`.
///
/// # Panics
///
/// If the number of channels is not a multiple of `3 * heads`.
pub fn attention(qkv: Tensor<4>, heads: usize) -> Tensor<4> {
    kernel!(attention(&qkv, heads));
    stock::attention(qkv, heads)
}

/// The cross-entropy of each item, `[items]`: logits are `[items, classes]`, targets are `[items]`,
/// each below the number of classes. For `smoothing` (0 for none) and `weights` (one per class),
/// see [`loss::CrossEntropy`](crate::loss::CrossEntropy).
///
/// # Panics
///
/// If the shapes do not fit together, or a target is not a class.
pub fn cross_entropy(
    logits: Tensor<2>,
    targets: Tensor<1, Int>,
    smoothing: f64,
    weights: Option<&[f32]>,
) -> Tensor<1> {
    #[cfg(feature = "flex")]
    let rule = crate::loss::CrossEntropy {
        classes: logits.dims()[1],
        smoothing,
        weights,
    };
    kernel!(cross_entropy(&logits, &targets, rule));
    stock::cross_entropy(logits, targets, smoothing, weights)
}

/// The [binary cross-entropy](crate::loss::binary_cross_entropy) of each item, `[items]`: logits
/// and targets are `[items, columns]`; weights, one per column, apply to targets of 1.
///
/// # Panics
///
/// If the shapes do not fit together.
pub fn binary_cross_entropy(
    logits: Tensor<2>,
    targets: Tensor<2>,
    weights: Option<&[f32]>,
) -> Tensor<1> {
    kernel!(binary_cross_entropy(&logits, &targets, weights));
    stock::binary_cross_entropy(logits, targets, weights)
}

/// Whether Burn can add up tensors over these devices (`burn::tensor::distributed::all_reduce`), which it does over NVIDIA's GPUs
/// of one machine if NCCL is installed. Elsewhere it panics.
pub fn can_sum_over(devices: &[Device]) -> bool {
    #[cfg(feature = "cube")]
    return devices.iter().all(cube::has_collectives);
    #[cfg(not(feature = "cube"))]
    return devices.is_empty();
}

/// Moves an average of weights by a part of the way to their values: `average + part (value - average)`, both without
/// gradients and of the same length. On the CPU and on GPUs this is one pass over the memory, in place if no other tensor shares the
/// average.
pub fn move_to(mut average: Tensor<1>, value: &Tensor<1>, part: f64) -> Tensor<1> {
    #[cfg(feature = "flex")]
    if flex::move_to(&mut average, value, part).is_some() {
        return average;
    }
    #[cfg(feature = "cube")]
    if cube::move_to(&mut average, value, part).is_some() {
        return average;
    }
    stock::move_to(average, value.clone(), part)
}

/// One step of Adam on tensors without gradients, all of the same length. Returns the new value and
/// the new moments.
///
/// On the CPU and on GPUs this is one pass over the memory, in place if no other tensor shares the values.
pub fn adam(
    rule: &Adam,
    mut value: Tensor<1>,
    grad: Tensor<1>,
    [mut m, mut v]: [Tensor<1>; 2],
) -> [Tensor<1>; 3] {
    #[cfg(feature = "flex")]
    if flex::adam(rule, &mut value, &grad, [&mut m, &mut v]).is_some() {
        return [value, m, v];
    }
    #[cfg(feature = "cube")]
    if cube::adam(rule, &mut value, &grad, [&mut m, &mut v]).is_some() {
        return [value, m, v];
    }
    stock::adam(rule, value, grad, [m, v])
}
