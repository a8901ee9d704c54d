//! The sums over pixels that the backward passes need.

use std::marker::PhantomData;
use std::ops::Range;

use super::forward::Affine;
use super::mask::{Gate, Mask, with_gate};
use crate::blocks::{Group, for_groups, group, pixels_together};
use crate::isa::{Kernel, Lanes};

/// One block of the backward pass, with sums.
pub(super) struct Sums<'a> {
    pub(super) channels: usize,
    pub(super) affine: &'a Affine,
    pub(super) mask: Mask<'a>,
    pub(super) x: &'a [f32],
    pub(super) dy: &'a [f32],
    pub(super) scaled: Option<&'a mut [f32]>,
    pub(super) masked: Option<&'a mut [f32]>,
}

impl Kernel for Sums<'_> {
    type Output = [Vec<f64>; 2];

    #[inline(always)]
    fn run<L: Lanes>(self) -> Self::Output {
        with_gate!(self.mask, |G, y| sums::<L, G>(self, y))
    }
}

#[inline(always)]
fn sums<L: Lanes, G: Gate>(task: Sums<'_>, y: &[f32]) -> [Vec<f64>; 2] {
    let channels = task.channels;
    let mut sums = GradSums::<L, G> {
        sums: [vec![0.0; channels], vec![0.0; channels]],
        task,
        y,
        pixels: 0..0,
        types: PhantomData,
    };
    let (pixels, step) = (sums.task.x.len() / channels, pixels_together(channels));
    for start in (0..pixels).step_by(step) {
        sums.pixels = start..pixels.min(start + step);
        for_groups::<L>(channels, &mut sums);
    }
    sums.sums
}

struct GradSums<'a, L, M> {
    task: Sums<'a>,
    y: &'a [f32],
    /// The pixels to add now.
    pixels: Range<usize>,
    sums: [Vec<f64>; 2],
    types: PhantomData<(L, M)>,
}

impl<L: Lanes, M: Gate> Group for GradSums<'_, L, M> {
    #[inline(always)]
    fn run<const G: usize>(&mut self, first: usize) {
        let channels = self.task.channels;
        let mean: [f32; G] = group(&self.task.affine.mean, first);
        let scale: [f32; G] = group(&self.task.affine.scale, first);
        let shift: [f32; G] = group(&self.task.affine.shift, first);
        let mut sum: [f64; G] = group(&self.sums[0], first);
        let mut product: [f64; G] = group(&self.sums[1], first);
        for pixel in self.pixels.clone() {
            let start = pixel * channels + first;
            let x: [f32; G] = group(self.task.x, start);
            let mut g: [f32; G] = group(self.task.dy, start);
            let y: [f32; G] = if M::READS {
                group(self.y, start)
            } else {
                [0.0; G]
            };
            for i in 0..G {
                let d = x[i] - mean[i];
                g[i] = M::pass::<L>(g[i], y[i], d, scale[i], shift[i]);
                sum[i] += f64::from(g[i]);
                product[i] += f64::from(g[i]) * f64::from(d);
            }
            if let Some(masked) = &mut self.task.masked {
                masked[start..start + G].copy_from_slice(&g);
            }
            if let Some(scaled) = &mut self.task.scaled {
                for i in 0..G {
                    g[i] *= scale[i];
                }
                scaled[start..start + G].copy_from_slice(&g);
            }
        }
        self.sums[0][first..first + G].copy_from_slice(&sum);
        self.sums[1][first..first + G].copy_from_slice(&product);
    }
}
