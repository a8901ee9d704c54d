//! The gradient of a bias: for each channel, the sum over all pixels.

use crate::blocks::{self, Group, for_groups, group, pixels_together};
use crate::error::check_len;
use crate::isa::{Kernel, Lanes, dispatch};
use crate::{Isa, ShapeError};

/// Sums `dy`, `[pixels, channels]`, over the pixels to `dbias`, `[channels]`.
///
/// # Errors
///
/// If `dy` is not a whole number of pixels.
///
/// ```
/// use vision_kernels::{Isa, bias};
///
/// let mut sums = [0.0; 2];
/// bias::backward(Isa::detect(), &[1.0, 2.0, 3.0, 4.0], &mut sums)?;
/// assert_eq!(sums, [4.0, 6.0]);
/// # Ok::<(), vision_kernels::ShapeError>(())
/// ```
pub fn backward(isa: Isa, dy: &[f32], dbias: &mut [f32]) -> Result<(), ShapeError> {
    let channels = dbias.len();
    check_len("dy", dy.len() / channels.max(1) * channels, dy.len())?;
    dbias.fill(0.0);
    if dy.is_empty() {
        return Ok(());
    }
    let size = blocks::pixels_per_sum(channels) * channels;
    let tasks = dy.chunks(size).map(|dy| Sum { dy, channels }).collect();
    let parts = blocks::run(tasks, dy.len(), |task| dispatch(isa, task));
    let mut total = vec![0.0; channels];
    for part in parts {
        total
            .iter_mut()
            .zip(part)
            .for_each(|(total, part)| *total += part);
    }
    for (dbias, total) in dbias.iter_mut().zip(total) {
        *dbias = total as f32;
    }
    Ok(())
}

struct Sum<'a> {
    dy: &'a [f32],
    channels: usize,
}

impl Kernel for Sum<'_> {
    type Output = Vec<f64>;

    #[inline(always)]
    fn run<L: Lanes>(self) -> Vec<f64> {
        let channels = self.channels;
        let mut sums = Sums {
            dy: &[],
            channels,
            sums: vec![0.0; channels],
        };
        for dy in self.dy.chunks(pixels_together(channels) * channels) {
            sums.dy = dy;
            for_groups::<L>(channels, &mut sums);
        }
        sums.sums
    }
}

struct Sums<'a> {
    dy: &'a [f32],
    channels: usize,
    sums: Vec<f64>,
}

impl Group for Sums<'_> {
    #[inline(always)]
    fn run<const G: usize>(&mut self, first: usize) {
        let mut sums: [f64; G] = group(&self.sums, first);
        for pixel in self.dy.chunks_exact(self.channels) {
            let values: [f32; G] = group(pixel, first);
            for i in 0..G {
                sums[i] += f64::from(values[i]);
            }
        }
        self.sums[first..first + G].copy_from_slice(&sums);
    }
}
