//! Global pooling: the mean over all pixels of an image, or maximum and mean.
//!
//! ```
//! use vision_kernels::{Isa, global_pool::concat_pool, pool::Activations};
//!
//! let input = Activations { batch: 1, height: 1, width: 2, channels: 2 };
//! let (mut y, mut argmax) = ([0.0; 4], [0; 2]);
//! concat_pool(Isa::detect(), &input, &[1.0, 8.0, 3.0, 4.0], &mut y, &mut argmax)?;
//! assert_eq!((y, argmax), ([3.0, 8.0, 2.0, 6.0], [1, 0]));
//! # Ok::<(), vision_kernels::ShapeError>(())
//! ```

use crate::blocks::{Group, for_groups, greater, group};
use crate::error::check_len;
use crate::isa::{Kernel, Lanes, dispatch};
use crate::pool::Activations;
use crate::{Isa, ShapeError, blocks};

/// The mean of each channel of each image: `x` of shape `input`, `y` `[batch, channels]`.
///
/// # Errors
///
/// If a length does not fit, or an image has no pixels.
pub fn mean_pool(
    isa: Isa,
    input: &Activations,
    x: &[f32],
    y: &mut [f32],
) -> Result<(), ShapeError> {
    forward(isa, input, x, y, None)
}

/// The gradient of [`mean_pool`]: `dy` is `[batch, channels]`, `dx` of shape `input`.
///
/// # Errors
///
/// If a length does not fit, or an image has no pixels.
pub fn mean_pool_backward(
    isa: Isa,
    input: &Activations,
    dy: &[f32],
    dx: &mut [f32],
) -> Result<(), ShapeError> {
    backward(isa, input, dy, None, dx)
}

/// fastai's `AdaptiveConcatPool2d(1)`: the maximum of each channel of each image, then the mean.
///
/// `x` has the shape `input`. `y` is `[batch, 2 * channels]`, maxima first. `argmax` is
/// `[batch, channels]`, the pixel of the maximum within the image. Ties and NaN are treated as in
/// [`max_pool`](crate::pool::max_pool).
///
/// # Errors
///
/// If a length does not fit, or an image has no pixels.
pub fn concat_pool(
    isa: Isa,
    input: &Activations,
    x: &[f32],
    y: &mut [f32],
    argmax: &mut [u32],
) -> Result<(), ShapeError> {
    forward(isa, input, x, y, Some(argmax))
}

/// The gradient of [`concat_pool`]: `dy` is `[batch, 2 * channels]`, `argmax` is the one of the
/// forward pass, and `dx` has the shape `input`.
///
/// # Errors
///
/// If a length does not fit, or an image has no pixels.
pub fn concat_pool_backward(
    isa: Isa,
    input: &Activations,
    dy: &[f32],
    argmax: &[u32],
    dx: &mut [f32],
) -> Result<(), ShapeError> {
    backward(isa, input, dy, Some(argmax), dx)
}

/// Output values per image, after checking that the input has pixels.
fn pooled(input: &Activations, concat: bool) -> Result<usize, ShapeError> {
    let pixels = input.height.saturating_mul(input.width);
    check_len("x", pixels.max(1), pixels)?;
    Ok(if concat {
        input.channels.saturating_mul(2)
    } else {
        input.channels
    })
}

fn forward(
    isa: Isa,
    input: &Activations,
    x: &[f32],
    y: &mut [f32],
    argmax: Option<&mut [u32]>,
) -> Result<(), ShapeError> {
    let pooled = pooled(input, argmax.is_some())?;
    check_len("x", input.elements(), x.len())?;
    check_len("y", input.batch.saturating_mul(pooled), y.len())?;
    if let Some(argmax) = &argmax {
        check_len(
            "argmax",
            input.batch.saturating_mul(input.channels),
            argmax.len(),
        )?;
    }
    if x.is_empty() {
        return Ok(());
    }
    let tasks = (x.chunks(x.len() / input.batch))
        .zip(y.chunks_mut(pooled))
        .zip(blocks::optional_mut(argmax, input.channels))
        .map(|((x, y), argmax)| Image {
            channels: input.channels,
            x,
            y,
            argmax,
        })
        .collect();
    blocks::run(tasks, x.len(), |task| dispatch(isa, task));
    Ok(())
}

/// One image.
struct Image<'a> {
    channels: usize,
    x: &'a [f32],
    y: &'a mut [f32],
    argmax: Option<&'a mut [u32]>,
}

impl Kernel for Image<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(mut self) {
        for_groups::<L>(self.channels, &mut self);
    }
}

impl Group for Image<'_> {
    #[inline(always)]
    fn run<const G: usize>(&mut self, first: usize) {
        let pixels = (self.x.len() / self.channels) as f64;
        let mut sum = [0.0; G];
        let mut best = ([f32::NEG_INFINITY; G], [0; G]);
        for (pixel, values) in self.x.chunks_exact(self.channels).enumerate() {
            let values: [f32; G] = group(values, first);
            for c in 0..G {
                sum[c] += f64::from(values[c]);
            }
            best = greater(best, values, pixel as u32);
        }
        let mut mean = [0.0; G];
        for (mean, sum) in mean.iter_mut().zip(sum) {
            *mean = (sum / pixels) as f32;
        }
        let Some(argmax) = &mut self.argmax else {
            self.y[first..first + G].copy_from_slice(&mean);
            return;
        };
        let (greatest, means) = self.y.split_at_mut(self.channels);
        greatest[first..first + G].copy_from_slice(&best.0);
        means[first..first + G].copy_from_slice(&mean);
        argmax[first..first + G].copy_from_slice(&best.1);
    }
}

fn backward(
    isa: Isa,
    input: &Activations,
    dy: &[f32],
    argmax: Option<&[u32]>,
    dx: &mut [f32],
) -> Result<(), ShapeError> {
    let pooled = pooled(input, argmax.is_some())?;
    check_len("dy", input.batch.saturating_mul(pooled), dy.len())?;
    if let Some(argmax) = argmax {
        check_len(
            "argmax",
            input.batch.saturating_mul(input.channels),
            argmax.len(),
        )?;
    }
    check_len("dx", input.elements(), dx.len())?;
    if dx.is_empty() {
        return Ok(());
    }
    let elements = dx.len();
    let mut argmax = argmax.map(|argmax| argmax.chunks(input.channels));
    let tasks = (dx.chunks_mut(elements / input.batch))
        .zip(dy.chunks(pooled))
        .map(|(dx, dy)| BackwardImage {
            channels: input.channels,
            dy,
            argmax: argmax.as_mut().and_then(Iterator::next),
            dx,
        })
        .collect();
    blocks::run(tasks, elements, |task| dispatch(isa, task));
    Ok(())
}

/// The gradient of one image.
struct BackwardImage<'a> {
    channels: usize,
    dy: &'a [f32],
    argmax: Option<&'a [u32]>,
    dx: &'a mut [f32],
}

impl Kernel for BackwardImage<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self) {
        let channels = self.channels;
        let pixels = (self.dx.len() / channels) as f32;
        let (greatest, means) = self.dy.split_at(self.dy.len() - channels);
        let means: Vec<f32> = means.iter().map(|dy| dy / pixels).collect();
        for pixel in self.dx.chunks_exact_mut(channels) {
            pixel.copy_from_slice(&means);
        }
        // One value per channel: added afterwards it touches little memory.
        for (c, (&pixel, dy)) in self.argmax.into_iter().flatten().zip(greatest).enumerate() {
            if let Some(dx) = self.dx.get_mut(pixel as usize * channels + c) {
                *dx += dy;
            }
        }
    }
}
