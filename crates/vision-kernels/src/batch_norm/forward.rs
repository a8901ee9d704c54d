//! The forward passes.

use super::{BatchNorm, Shared, Stats, Total};
use crate::activation::Activation;
use crate::activation::function::{Function, with_function};
use crate::blocks::{Group, for_groups, group, pixels_together, repeated};
use crate::error::check_len;
use crate::isa::{Kernel, Lanes, dispatch};
use crate::{Isa, ShapeError, blocks};

/// Batch normalization with the statistics of the batch, as in training.
///
/// `x`, `residual` and `y` are `[pixels, channels]`; `gamma` and `beta` are `[channels]`. Returns
/// the statistics, for [`batch_norm_backward`](super::batch_norm_backward) and for the running
/// statistics.
///
/// # Errors
///
/// If `x` is empty, or a length does not match `args.channels` and `x`.
pub fn batch_norm_train(
    isa: Isa,
    args: &BatchNorm,
    x: &[f32],
    [gamma, beta]: [&[f32]; 2],
    residual: Option<&[f32]>,
    y: &mut [f32],
) -> Result<Stats, ShapeError> {
    Ok(train(isa, args, x, [gamma, beta], residual, y, None)?.stats)
}

/// [`batch_norm_train`] of a batch of which this process has a part: `total` replaces each value of a list by its sum over
/// all processes, which have called this with their parts. Each then normalizes with the statistics of the whole batch.
///
/// # Errors
///
/// As [`batch_norm_train`].
pub fn batch_norm_train_shared(
    isa: Isa,
    args: &BatchNorm,
    x: &[f32],
    [gamma, beta]: [&[f32]; 2],
    residual: Option<&[f32]>,
    y: &mut [f32],
    total: Total<'_>,
) -> Result<Shared, ShapeError> {
    train(isa, args, x, [gamma, beta], residual, y, Some(total))
}

fn train(
    isa: Isa,
    args: &BatchNorm,
    x: &[f32],
    [gamma, beta]: [&[f32]; 2],
    residual: Option<&[f32]>,
    y: &mut [f32],
    total: Option<Total<'_>>,
) -> Result<Shared, ShapeError> {
    let mut pixels = args.pixels(x)?;
    args.per_channel("gamma", gamma)?;
    args.per_channel("beta", beta)?;
    check_pixels(x, residual, y)?;
    let mut sums = moments(isa, args.channels, x);
    if let Some(total) = total {
        pixels = total_of(&mut sums, pixels, total);
    }
    let stats = Stats::from_sums(&sums, pixels, args.eps);
    let affine = Affine::new(&stats.mean, &stats.scale(gamma), beta);
    affine.apply(isa, args.activation, x, residual, y);
    Ok(Shared { stats, pixels })
}

/// Replaces sums and the number of pixels by those over all processes.
fn total_of(sums: &mut [Vec<f64>; 2], pixels: usize, total: Total<'_>) -> usize {
    let channels = sums[0].len();
    let mut values = sums.concat();
    values.push(pixels as f64);
    total(&mut values);
    for (sum, values) in sums.iter_mut().zip(values.chunks_exact(channels.max(1))) {
        sum.copy_from_slice(values);
    }
    values.last().map_or(0, |pixels| *pixels as usize)
}

/// Batch normalization with given statistics ([`Stats::from_running`]), as in evaluation.
///
/// The shapes are those of [`batch_norm_train`].
///
/// # Errors
///
/// If `x` is empty, or a length does not match `args.channels` and `x`.
pub fn batch_norm_eval(
    isa: Isa,
    args: &BatchNorm,
    x: &[f32],
    [gamma, beta]: [&[f32]; 2],
    stats: &Stats,
    residual: Option<&[f32]>,
    y: &mut [f32],
) -> Result<(), ShapeError> {
    args.pixels(x)?;
    args.per_channel("gamma", gamma)?;
    args.per_channel("beta", beta)?;
    stats.check(args)?;
    check_pixels(x, residual, y)?;
    let affine = Affine::new(&stats.mean, &stats.scale(gamma), beta);
    affine.apply(isa, args.activation, x, residual, y);
    Ok(())
}

/// `y = x * scale + shift`, plus `residual`, followed by an activation: a folded batch
/// normalization that cannot be merged into the convolution before it.
///
/// `x`, `residual` and `y` are `[pixels, channels]`; `scale` and `shift` are `[channels]`.
///
/// # Errors
///
/// If `x` is empty, or a length does not match `scale` and `x`.
pub fn scale_shift(
    isa: Isa,
    [scale, shift]: [&[f32]; 2],
    x: &[f32],
    residual: Option<&[f32]>,
    activation: Option<Activation>,
    y: &mut [f32],
) -> Result<(), ShapeError> {
    let channels = scale.len();
    let args = BatchNorm {
        channels,
        eps: 0.0,
        activation,
    };
    args.pixels(x)?;
    args.per_channel("shift", shift)?;
    check_pixels(x, residual, y)?;
    // Subtracting 0 changes no bit.
    let affine = Affine::new(&vec![0.0; channels], scale, shift);
    affine.apply(isa, activation, x, residual, y);
    Ok(())
}

fn check_pixels(x: &[f32], residual: Option<&[f32]>, y: &[f32]) -> Result<(), ShapeError> {
    if let Some(residual) = residual {
        check_len("residual", x.len(), residual.len())?;
    }
    check_len("y", x.len(), y.len())
}

/// Sums of `x` and of `x²` per channel.
fn moments(isa: Isa, channels: usize, x: &[f32]) -> [Vec<f64>; 2] {
    let size = blocks::pixels_per_sum(channels) * channels;
    let tasks = x.chunks(size).collect();
    blocks::total(blocks::run(tasks, x.len(), |x| {
        dispatch(isa, Moments { x, channels })
    }))
}

struct Moments<'a> {
    x: &'a [f32],
    channels: usize,
}

impl Kernel for Moments<'_> {
    type Output = [Vec<f64>; 2];

    #[inline(always)]
    fn run<L: Lanes>(self) -> Self::Output {
        let channels = self.channels;
        let mut sums = MomentSums {
            sums: [vec![0.0; channels], vec![0.0; channels]],
            task: Moments { x: &[], channels },
        };
        for x in self.x.chunks(pixels_together(channels) * channels) {
            sums.task.x = x;
            for_groups::<L>(channels, &mut sums);
        }
        sums.sums
    }
}

struct MomentSums<'a> {
    task: Moments<'a>,
    sums: [Vec<f64>; 2],
}

impl Group for MomentSums<'_> {
    #[inline(always)]
    fn run<const G: usize>(&mut self, first: usize) {
        let mut sum: [f64; G] = group(&self.sums[0], first);
        let mut squares: [f64; G] = group(&self.sums[1], first);
        for pixel in self.task.x.chunks_exact(self.task.channels) {
            let values: [f32; G] = group(pixel, first);
            for i in 0..G {
                let value = f64::from(values[i]);
                sum[i] += value;
                squares[i] += value * value;
            }
        }
        self.sums[0][first..first + G].copy_from_slice(&sum);
        self.sums[1][first..first + G].copy_from_slice(&squares);
    }
}

/// `(x - mean) * scale + shift`. The mean is not folded into the shift: with a mean that is large
/// compared with the deviation that would cost digits, and the subtraction is free because memory
/// is the bottleneck.
pub(super) struct Affine {
    pub(super) mean: Vec<f32>,
    pub(super) scale: Vec<f32>,
    pub(super) shift: Vec<f32>,
}

impl Affine {
    pub(super) fn new(mean: &[f32], scale: &[f32], shift: &[f32]) -> Self {
        Self {
            mean: repeated(mean),
            scale: repeated(scale),
            shift: repeated(shift),
        }
    }

    fn apply(
        &self,
        isa: Isa,
        activation: Option<Activation>,
        x: &[f32],
        residual: Option<&[f32]>,
        y: &mut [f32],
    ) {
        let elements = x.len();
        // Whole periods, so that each block begins with channel 0.
        let period = self.mean.len();
        let size = (blocks::BLOCK / period).max(1) * period;
        let mut tasks: Vec<_> = x
            .chunks(size)
            .zip(blocks::optional(residual, size))
            .zip(y.chunks_mut(size))
            .map(|((x, residual), y)| Apply {
                affine: self,
                x,
                residual,
                activation,
                y,
            })
            .collect();
        // The end of `x` was read last, so it may still be in a cache.
        tasks.reverse();
        blocks::run(tasks, elements, |task| dispatch(isa, task));
    }
}

struct Apply<'a> {
    affine: &'a Affine,
    x: &'a [f32],
    residual: Option<&'a [f32]>,
    activation: Option<Activation>,
    y: &'a mut [f32],
}

impl Kernel for Apply<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self) {
        with_function!(self.activation, |F| match self.residual {
            None => apply::<L, F, false>(self, &[]),
            Some(residual) => apply::<L, F, true>(self, residual),
        })
    }
}

#[inline(always)]
fn apply<L: Lanes, F: Function, const RESIDUAL: bool>(task: Apply<'_>, residual: &[f32]) {
    let Affine { mean, scale, shift } = task.affine;
    let period = mean.len();
    let mut start = 0;
    for (y, x) in task.y.chunks_mut(period).zip(task.x.chunks(period)) {
        let n = y.len();
        let residual = if RESIDUAL {
            &residual[start..start + n]
        } else {
            &[]
        };
        let (x, mean, scale, shift) = (&x[..n], &mean[..n], &scale[..n], &shift[..n]);
        for i in 0..n {
            let mut value = L::mul_add(x[i] - mean[i], scale[i], shift[i]);
            if RESIDUAL {
                value += residual[i];
            }
            y[i] = F::value::<L>(value);
        }
        start += n;
    }
}
