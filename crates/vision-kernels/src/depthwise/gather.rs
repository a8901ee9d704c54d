//! Output, and gradient of the input: each target pixel gathers the contributions of its sources.

use super::DepthwiseShape;
use super::links::Links;
use super::plan::{Member, Plan, Region, Tap, blocks_of_weights};
use crate::blocks;
use crate::conv::Epilogue;
use crate::isa::{Isa, Kernel, Lanes, dispatch, lanes};
use crate::scratch::Scratch;

/// Pixels whose sums are in registers together.
const TILE: usize = 4;

/// `target = Σ source * weight` over the links of each pixel, then the epilogue.
pub(super) fn gather(
    isa: Isa,
    shape: &DepthwiseShape,
    links: &Links,
    source: &[f32],
    w: &[f32],
    epilogue: &Epilogue<'_>,
    target: &mut [f32],
) {
    if target.is_empty() {
        return;
    }
    let elements = target.len();
    let plan = Plan::new(shape, links);
    // Two registers for each pixel.
    let width = 2 * lanes(isa);
    let weights = blocks_of_weights(shape, w, width);
    let mut rest = target;
    let mut tasks = Vec::new();
    for region in plan.regions() {
        let (target, later) = rest.split_at_mut(plan.len(&region));
        rest = later;
        tasks.push(Gather {
            plan: &plan,
            region,
            channels: shape.channels,
            source,
            weights: &weights,
            epilogue,
            target,
        });
    }
    blocks::run(tasks, elements, |task| dispatch(isa, task));
}

/// One region of the target.
struct Gather<'a> {
    plan: &'a Plan,
    region: Region,
    channels: usize,
    source: &'a [f32],
    /// `[blocks][taps][width]`.
    weights: &'a [f32],
    epilogue: &'a Epilogue<'a>,
    target: &'a mut [f32],
}

impl Kernel for Gather<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self) {
        match L::WIDTH {
            16 => self.by_blocks::<L, 32, 16>(),
            8 => self.by_blocks::<L, 16, 8>(),
            _ => self.by_blocks::<L, 8, 4>(),
        }
    }
}

impl Gather<'_> {
    /// By blocks of `G` channels.
    #[inline(always)]
    fn by_blocks<L: Lanes, const G: usize, const W: usize>(self) {
        let (plan, channels) = (self.plan, self.channels);
        let members = plan.members(&self.region);
        let first_pixel = plan.first_pixel(&self.region);
        let mut copies = Scratch::take(plan.source_pixels(&self.region) * G);
        let copies = copies.as_chunks_mut::<G>().0;
        let taps = self.weights.len() / channels.next_multiple_of(G);
        for (block, first) in (0..channels).step_by(G).enumerate() {
            plan.copy(&self.region, self.source, first, copies);
            let weights = &self.weights.as_chunks::<G>().0[block * taps..][..taps];
            let len = G.min(channels - first);
            let target = &mut *self.target;
            for (class, members) in plan.taps().iter().zip(&members) {
                let (tiles, rest) = members.as_chunks::<TILE>();
                for members in tiles {
                    let sums = tile::<L, G, TILE>(copies, class, weights, members);
                    for (member, sums) in members.iter().zip(&sums) {
                        write(&mut target[member.target * channels + first..], sums, len);
                    }
                }
                for member in rest {
                    let [sums] = tile::<L, G, 1>(copies, class, weights, &[*member]);
                    write(&mut target[member.target * channels + first..], &sums, len);
                }
            }
            if self.epilogue.is_empty() {
                continue;
            }
            // The block's values are still in a cache.
            for (pixel, values) in (first_pixel..).zip(target.chunks_exact_mut(channels)) {
                let values = &mut values[first..first + len];
                self.epilogue.apply::<L, W>(values, pixel, channels, first);
            }
        }
    }
}

/// Writes the first `len` sums.
#[inline(always)]
fn write<const G: usize>(target: &mut [f32], sums: &[f32; G], len: usize) {
    match target.first_chunk_mut::<G>() {
        Some(all) if len == G => *all = *sums,
        _ => {
            for (value, sum) in target[..len].iter_mut().zip(sums) {
                *value = *sum;
            }
        }
    }
}

/// The sums of some pixels of a class.
#[inline(always)]
fn tile<L: Lanes, const G: usize, const P: usize>(
    source: &[[f32; G]],
    taps: &[Tap],
    weights: &[[f32; G]],
    members: &[Member; P],
) -> [[f32; G]; P] {
    if taps.is_empty() {
        return [[0.0; G]; P];
    }
    // All of one length, so that one check of an offset is enough for all.
    let last = members
        .iter()
        .fold(0, |last, member| last.max(member.source));
    let len = source.len().saturating_sub(last);
    let sources: [&[[f32; G]]; P] = std::array::from_fn(|p| &source[members[p].source..][..len]);
    let mut sums = [[0.0; G]; P];
    for tap in taps {
        let w = &weights[tap.tap];
        for p in 0..P {
            let x = &sources[p][tap.offset];
            for g in 0..G {
                sums[p][g] = L::mul_add(x[g], w[g], sums[p][g]);
            }
        }
    }
    sums
}
