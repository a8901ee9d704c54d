//! Gradient of the weights: for each tap, a sum over output pixels.

use super::DepthwiseShape;
use super::links::Links;
use super::plan::{Member, Plan, Region, Tap, copy};
use crate::blocks;
use crate::isa::{Isa, Kernel, Lanes, dispatch};
use crate::scratch::Scratch;

/// Taps whose sums are in registers together.
const TILE: usize = 4;

/// Writes all of `dw`, `[channels, 1, kernel, kernel]`.
pub(super) fn backward_weight(
    isa: Isa,
    shape: &DepthwiseShape,
    x: &[f32],
    dy: &[f32],
    dw: &mut [f32],
) {
    let channels = shape.channels;
    if dy.is_empty() || x.is_empty() {
        dw.fill(0.0);
        return;
    }
    let plan = Plan::new(shape, &Links::forward(shape));
    let mut rest = dy;
    let mut tasks = Vec::new();
    for region in plan.regions() {
        let (dy, later) = rest.split_at(plan.len(&region));
        rest = later;
        tasks.push(Part {
            plan: &plan,
            region,
            shape,
            x,
            dy,
        });
    }
    // The partition depends on the shape alone, so that sums do not depend on the number of
    // threads.
    let parts = blocks::run(tasks, dy.len(), |task| dispatch(isa, task));
    let mut total = vec![0.0_f64; dw.len()];
    for part in parts {
        for (total, value) in total.iter_mut().zip(part) {
            *total += f64::from(value);
        }
    }
    let count = shape.kernel * shape.kernel;
    for (c, dw) in dw.chunks_exact_mut(count).enumerate() {
        for (tap, dw) in dw.iter_mut().enumerate() {
            *dw = total[tap * channels + c] as f32;
        }
    }
}

/// One region of the output.
struct Part<'a> {
    plan: &'a Plan,
    region: Region,
    shape: &'a DepthwiseShape,
    x: &'a [f32],
    dy: &'a [f32],
}

impl Kernel for Part<'_> {
    /// `[kernel, kernel, channels]`.
    type Output = Vec<f32>;

    #[inline(always)]
    fn run<L: Lanes>(self) -> Vec<f32> {
        match L::WIDTH {
            16 => self.by_blocks::<L, 32>(),
            8 => self.by_blocks::<L, 16>(),
            _ => self.by_blocks::<L, 8>(),
        }
    }
}

impl Part<'_> {
    /// By blocks of `G` channels.
    #[inline(always)]
    fn by_blocks<L: Lanes, const G: usize>(self) -> Vec<f32> {
        let (plan, channels) = (self.plan, self.shape.channels);
        let members = plan.members(&self.region);
        let pixels = self.dy.len() / channels;
        let source = plan.source_pixels(&self.region);
        let mut copies = Scratch::take((source + pixels) * G);
        let (x, dy) = copies.as_chunks_mut::<G>().0.split_at_mut(source);
        let mut result = vec![0.0; self.shape.weight_len()];
        let mut sums = vec![[0.0; G]; self.shape.kernel * self.shape.kernel];
        for first in (0..channels).step_by(G) {
            plan.copy(&self.region, self.x, first, x);
            copy(self.dy, channels, first, dy);
            sums.fill([0.0; G]);
            for (class, members) in plan.taps().iter().zip(&members) {
                // The source of a region can be smaller than a class that it has no pixel of.
                if members.is_empty() {
                    continue;
                }
                let (tiles, rest) = class.as_chunks::<TILE>();
                for taps in tiles {
                    add::<L, G, TILE>(&mut sums, x, dy, taps, members);
                }
                for tap in rest {
                    add::<L, G, 1>(&mut sums, x, dy, &[*tap], members);
                }
            }
            let len = G.min(channels - first);
            for (result, sums) in result.chunks_exact_mut(channels).zip(&sums) {
                result[first..first + len].copy_from_slice(&sums[..len]);
            }
        }
        result
    }
}

/// Adds the contribution of the pixels of a class to some taps.
#[inline(always)]
fn add<L: Lanes, const G: usize, const T: usize>(
    sums: &mut [[f32; G]],
    x: &[[f32; G]],
    dy: &[[f32; G]],
    taps: &[Tap; T],
    members: &[Member],
) {
    // All of one length, so that one check of a pixel is enough for all.
    let last = taps.iter().fold(0, |last, tap| last.max(tap.offset));
    let len = x.len().saturating_sub(last);
    let sources: [&[[f32; G]]; T] = std::array::from_fn(|t| &x[taps[t].offset..][..len]);
    let mut tile: [[f32; G]; T] = std::array::from_fn(|t| sums[taps[t].tap]);
    for member in members {
        let g = &dy[member.target];
        for t in 0..T {
            let x = &sources[t][member.source];
            for c in 0..G {
                tile[t][c] = L::mul_add(x[c], g[c], tile[t][c]);
            }
        }
    }
    for (tap, values) in taps.iter().zip(&tile) {
        sums[tap.tap] = *values;
    }
}
