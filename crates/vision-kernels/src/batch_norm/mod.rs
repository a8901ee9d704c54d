//! Batch normalization, optionally with a residual and an activation.
//!
//! ```text
//! y = activation((x - mean) * inv_std * gamma + beta + residual),   inv_std = 1 / sqrt(variance + eps)
//! ```
//!
//! over `[pixels, channels]`, where `pixels` is batch * height * width. Everything but `x`, `y` and
//! `residual` has one value per channel (S. Ioffe, C. Szegedy, "Batch Normalization", 2015). As in
//! PyTorch, normalization uses the biased variance.
//!
//! All passes are bound by memory, so there are few of them: forward reads `x` twice and writes
//! `y`; backward reads `x` and `dy` twice and writes `dx`. Without a residual, the gradient of
//! a cheap activation such as ReLU is computed again from `x` instead of being read.
//!
//! ```
//! use vision_kernels::activation::Activation;
//! use vision_kernels::{Isa, batch_norm::{BatchNorm, Forward, batch_norm_backward, batch_norm_train}};
//!
//! let args = BatchNorm { channels: 1, eps: 0.0, activation: Some(Activation::Relu) };
//! let (x, gamma, beta, mut y) = ([1.0, 3.0], [2.0], [0.5], [0.0; 2]);
//! let stats = batch_norm_train(Isa::detect(), &args, &x, [&gamma, &beta], None, &mut y)?;
//! assert_eq!((stats.mean[0], stats.var_biased[0], y), (2.0, 1.0, [0.0, 2.5]));
//!
//! let forward = Forward { x: &x, y: None, gamma: &gamma, beta: &beta, stats: &stats };
//! let mut dx = [0.0; 2];
//! let grads = batch_norm_backward(Isa::detect(), &args, &forward, &[7.0, 1.0], &mut dx, None)?;
//! assert_eq!((grads.gamma[0], grads.beta[0]), (1.0, 1.0));
//! # Ok::<(), vision_kernels::ShapeError>(())
//! ```

mod backward;
mod forward;
mod mask;
mod sums;

pub use backward::{
    Forward, ParamGrads, batch_norm_backward, batch_norm_backward_shared, batch_norm_eval_backward,
};
pub use forward::{batch_norm_eval, batch_norm_train, batch_norm_train_shared, scale_shift};

use crate::activation::Activation;
use crate::error::{ShapeError, check_len};

/// A batch normalization over the last dimension.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BatchNorm {
    /// Channels: the length of `gamma` and `beta`.
    pub channels: usize,
    /// Added to the variance before the square root.
    pub eps: f32,
    /// The function that follows.
    pub activation: Option<Activation>,
}

impl BatchNorm {
    /// Checks that `x` is a whole number of pixels, and returns that number.
    fn pixels(&self, x: &[f32]) -> Result<usize, ShapeError> {
        let pixels = x.len().checked_div(self.channels).unwrap_or(0);
        check_len("x", pixels.max(1) * self.channels.max(1), x.len())?;
        Ok(pixels)
    }

    /// Checks that there is one value per channel.
    fn per_channel(&self, argument: &'static str, values: &[f32]) -> Result<(), ShapeError> {
        check_len(argument, self.channels, values.len())
    }
}

/// The statistics of a batch normalization; `[channels]` each.
#[derive(Clone, Debug, PartialEq)]
pub struct Stats {
    /// The mean.
    pub mean: Vec<f32>,
    /// The biased variance: the mean of the squared distances from `mean`. (PyTorch updates its
    /// running variance with `var_biased * pixels / (pixels - 1)`.)
    pub var_biased: Vec<f32>,
    /// `1 / sqrt(var_biased + eps)`.
    pub inv_std: Vec<f32>,
}

/// Replaces each value of a list by its sum over all processes that share a batch. The list has the same length in each.
pub type Total<'a> = &'a dyn Fn(&mut [f64]);

/// The statistics of a batch that several processes share.
#[derive(Clone, Debug, PartialEq)]
pub struct Shared {
    /// Of the whole batch.
    pub stats: Stats,
    /// The number of its pixels, in all processes.
    pub pixels: usize,
}

impl Stats {
    /// From running statistics.
    ///
    /// # Errors
    ///
    /// If the lengths differ.
    pub fn from_running(mean: &[f32], variance: &[f32], eps: f32) -> Result<Self, ShapeError> {
        check_len("variance", mean.len(), variance.len())?;
        let inv_std = |&variance: &f32| inv_std(f64::from(variance), eps);
        Ok(Self {
            mean: mean.to_vec(),
            var_biased: variance.to_vec(),
            inv_std: variance.iter().map(inv_std).collect(),
        })
    }

    /// From sums of `x` and of `x²`. The square of an `f32` is exact in `f64`, so the difference
    /// below loses digits only if the mean is some 10⁷ times the deviation, which `f32` cannot
    /// represent.
    fn from_sums([sum, squares]: &[Vec<f64>; 2], pixels: usize, eps: f32) -> Self {
        let count = pixels as f64;
        let mut stats = Self {
            mean: Vec::with_capacity(sum.len()),
            var_biased: Vec::with_capacity(sum.len()),
            inv_std: Vec::with_capacity(sum.len()),
        };
        for (sum, squares) in sum.iter().zip(squares) {
            let mean = sum / count;
            let variance = squares / count - mean * mean;
            // Not `max`, which would turn NaN into 0.
            let variance = if variance < 0.0 { 0.0 } else { variance };
            stats.mean.push(mean as f32);
            stats.var_biased.push(variance as f32);
            stats.inv_std.push(inv_std(variance, eps));
        }
        stats
    }

    fn check(&self, args: &BatchNorm) -> Result<(), ShapeError> {
        args.per_channel("stats.mean", &self.mean)?;
        args.per_channel("stats.inv_std", &self.inv_std)
    }

    /// `gamma * inv_std`.
    fn scale(&self, gamma: &[f32]) -> Vec<f32> {
        let product = |(inv_std, gamma): (&f32, &f32)| inv_std * gamma;
        self.inv_std.iter().zip(gamma).map(product).collect()
    }
}

fn inv_std(variance: f64, eps: f32) -> f32 {
    (1.0 / (variance + f64::from(eps)).sqrt()) as f32
}
