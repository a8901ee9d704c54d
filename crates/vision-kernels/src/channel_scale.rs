//! A factor for each channel of each image: the end of a squeeze-and-excitation block (J. Hu et al., 2018).
//!
//! ```
//! use vision_kernels::Isa;
//! use vision_kernels::channel_scale::scale_channels;
//! use vision_kernels::pool::Activations;
//!
//! let shape = Activations { batch: 1, height: 1, width: 2, channels: 2 };
//! let mut y = [0.0; 4];
//! scale_channels(Isa::detect(), &shape, &[1.0, 2.0, 3.0, 4.0], &[10.0, 0.5], &mut y)?;
//! assert_eq!(y, [10.0, 1.0, 30.0, 2.0]);
//! # Ok::<(), vision_kernels::ShapeError>(())
//! ```

use std::ops::Range;

use crate::blocks::{self, Group, for_groups, group, pixels_together, repeated};
use crate::error::check_len;
use crate::isa::{Kernel, Lanes, dispatch};
use crate::pool::Activations;
use crate::{Isa, ShapeError};

/// `y = x * factors`: `x` and `y` are `[batch, height, width, channels]`, `factors` are `[batch, channels]`.
///
/// # Errors
///
/// If a length does not fit the shape.
pub fn scale_channels(
    isa: Isa,
    shape: &Activations,
    x: &[f32],
    factors: &[f32],
    y: &mut [f32],
) -> Result<(), ShapeError> {
    check(shape, x, factors)?;
    check_len("y", x.len(), y.len())?;
    if x.is_empty() {
        return Ok(());
    }
    let image = x.len() / shape.batch;
    let factors: Vec<Vec<f32>> = factors.chunks(shape.channels).map(repeated).collect();
    let mut tasks = Vec::new();
    for ((x, y), factors) in x.chunks(image).zip(y.chunks_mut(image)).zip(&factors) {
        // Whole periods, so that each block begins with channel 0.
        let size = (blocks::BLOCK / factors.len()).max(1) * factors.len();
        let parts = x.chunks(size).zip(y.chunks_mut(size));
        tasks.extend(parts.map(|(x, y)| Scale { factors, x, y }));
    }
    blocks::run(tasks, x.len(), |task| dispatch(isa, task));
    Ok(())
}

/// The gradients of [`scale_channels`], from the gradient `dy` of its output: `dx`, if requested, and that of the factors,
/// `[batch, channels]`.
///
/// # Errors
///
/// If a length does not fit the shape.
pub fn scale_channels_backward(
    isa: Isa,
    shape: &Activations,
    x: &[f32],
    factors: &[f32],
    dy: &[f32],
    mut dx: Option<&mut [f32]>,
    dfactors: &mut [f32],
) -> Result<(), ShapeError> {
    check(shape, x, factors)?;
    check_len("dy", x.len(), dy.len())?;
    if let Some(dx) = &dx {
        check_len("dx", x.len(), dx.len())?;
    }
    check_len("dfactors", factors.len(), dfactors.len())?;
    dfactors.fill(0.0);
    if x.is_empty() {
        return Ok(());
    }
    let (channels, image) = (shape.channels, x.len() / shape.batch);
    let size = blocks::pixels_per_sum(channels) * channels;
    let mut tasks = Vec::new();
    for (at, (x, dy)) in x.chunks(image).zip(dy.chunks(image)).enumerate() {
        let factors = &factors[at * channels..][..channels];
        let mut rest = dx.take();
        for (x, dy) in x.chunks(size).zip(dy.chunks(size)) {
            let dx = match rest.take() {
                Some(all) => {
                    let (now, later) = all.split_at_mut(x.len());
                    rest = Some(later);
                    Some(now)
                }
                None => None,
            };
            let task = Gradients {
                channels,
                factors,
                x,
                dy,
                dx,
            };
            tasks.push((at, task));
        }
        dx = rest;
    }
    let parts = blocks::run(tasks, x.len(), |(at, task)| (at, dispatch(isa, task)));
    let mut parts = parts.into_iter().peekable();
    for (at, total) in dfactors.chunks_mut(channels).enumerate() {
        let mut sums = vec![0.0; channels];
        while let Some((_, part)) = parts.next_if(|(image, _)| *image == at) {
            sums.iter_mut()
                .zip(&part)
                .for_each(|(sum, part)| *sum += part);
        }
        total
            .iter_mut()
            .zip(&sums)
            .for_each(|(total, sum)| *total = *sum as f32);
    }
    Ok(())
}

fn check(shape: &Activations, x: &[f32], factors: &[f32]) -> Result<(), ShapeError> {
    check_len("x", shape.elements(), x.len())?;
    check_len(
        "factors",
        shape.batch.saturating_mul(shape.channels),
        factors.len(),
    )
}

/// A part of an image.
struct Scale<'a> {
    /// Repeated, see [`repeated`].
    factors: &'a [f32],
    x: &'a [f32],
    y: &'a mut [f32],
}

impl Kernel for Scale<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self) {
        let period = self.factors.len();
        for (y, x) in self.y.chunks_mut(period).zip(self.x.chunks(period)) {
            for ((y, x), factor) in y.iter_mut().zip(x).zip(self.factors) {
                *y = x * factor;
            }
        }
    }
}

/// The gradients of a part of an image.
struct Gradients<'a> {
    channels: usize,
    factors: &'a [f32],
    x: &'a [f32],
    dy: &'a [f32],
    dx: Option<&'a mut [f32]>,
}

impl Kernel for Gradients<'_> {
    /// Those of the factors.
    type Output = Vec<f64>;

    #[inline(always)]
    fn run<L: Lanes>(self) -> Vec<f64> {
        let (channels, pixels) = (self.channels, self.x.len() / self.channels);
        let mut sums = Sums {
            sums: vec![0.0; channels],
            task: self,
            pixels: 0..0,
        };
        let step = pixels_together(channels);
        for start in (0..pixels).step_by(step) {
            sums.pixels = start..pixels.min(start + step);
            for_groups::<L>(channels, &mut sums);
        }
        sums.sums
    }
}

struct Sums<'a> {
    task: Gradients<'a>,
    sums: Vec<f64>,
    /// The pixels to add now.
    pixels: Range<usize>,
}

impl Group for Sums<'_> {
    #[inline(always)]
    fn run<const G: usize>(&mut self, first: usize) {
        let factors: [f32; G] = group(self.task.factors, first);
        let mut sums: [f64; G] = group(&self.sums, first);
        for pixel in self.pixels.clone() {
            let start = pixel * self.task.channels + first;
            let x: [f32; G] = group(self.task.x, start);
            let mut dy: [f32; G] = group(self.task.dy, start);
            for i in 0..G {
                sums[i] += f64::from(dy[i]) * f64::from(x[i]);
            }
            if let Some(dx) = &mut self.task.dx {
                for i in 0..G {
                    dy[i] *= factors[i];
                }
                dx[start..start + G].copy_from_slice(&dy);
            }
        }
        self.sums[first..first + G].copy_from_slice(&sums);
    }
}
