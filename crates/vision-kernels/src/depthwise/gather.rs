//! Output, and gradient of the input: each target pixel gathers the contributions of its sources.

use super::DepthwiseShape;
use super::links::Links;
use super::plan::{Member, Plan, Region, Tap, blocks_of_weights, fetch};
use crate::blocks::{self, group};
use crate::conv::Epilogue;
use crate::isa::{Isa, Kernel, Lanes, dispatch, lanes};
use crate::scratch::Scratch;

/// Pixels whose sums are in registers together.
const TILE: usize = 4;
/// Largest number of taps for which each value is used so seldom that a copy does not pay off.
const FEW_TAPS: usize = 9;

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
    fn by_blocks<L: Lanes, const G: usize, const W: usize>(mut self) {
        let (plan, channels) = (self.plan, self.channels);
        let members = plan.members(&self.region);
        let first_pixel = plan.first_pixel(&self.region);
        let mut copies = Scratch::take(plan.source_pixels(&self.region) * G);
        let copies = copies.as_chunks_mut::<G>().0;
        let taps = self.weights.len() / channels.next_multiple_of(G);
        let in_place = plan
            .contiguous_source(&self.region)
            .filter(|_| taps <= FEW_TAPS);
        // Whole blocks that need no copies.
        let whole = in_place.map_or(0, |_| channels / G);
        if let Some(start) = in_place {
            let source = InPlace {
                values: &self.source[start * channels..],
                channels,
                first: 0,
            };
            let weights = &self.weights.as_chunks::<G>().0[..whole * taps];
            self.by_pixels::<L, G, W>(source, &members, weights, whole);
        }
        for (block, first) in (0..channels).step_by(G).enumerate().skip(whole) {
            let weights = &self.weights.as_chunks::<G>().0[block * taps..][..taps];
            let len = G.min(channels - first);
            plan.copy(&self.region, self.source, first, copies);
            let target = &mut *self.target;
            sums::<L, G>(
                Copies(copies),
                plan,
                &members,
                weights,
                (first, channels),
                target,
            );
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

impl Gather<'_> {
    /// The first blocks of channels, all of them for some pixels before the next pixels: in the order of memory.
    #[inline(always)]
    fn by_pixels<L: Lanes, const G: usize, const W: usize>(
        &mut self,
        source: InPlace<'_>,
        members: &[Vec<Member>],
        weights: &[[f32; G]],
        blocks: usize,
    ) {
        for (class, members) in self.plan.taps().iter().zip(members) {
            let (tiles, rest) = members.as_chunks::<TILE>();
            for members in tiles {
                self.all_blocks::<L, G, W, TILE>(source, (class, members), weights, blocks);
            }
            for member in rest {
                self.all_blocks::<L, G, W, 1>(source, (class, &[*member]), weights, blocks);
            }
        }
    }

    #[inline(always)]
    fn all_blocks<L: Lanes, const G: usize, const W: usize, const P: usize>(
        &mut self,
        source: InPlace<'_>,
        (class, members): (&[Tap], &[Member; P]),
        weights: &[[f32; G]],
        blocks: usize,
    ) {
        let channels = self.channels;
        let taps = weights.len() / blocks.max(1);
        for block in 0..blocks {
            let first = block * G;
            let source = InPlace { first, ..source };
            let weights = &weights[block * taps..][..taps];
            let sums = tile::<L, G, P>(source, class, weights, members);
            for (member, sums) in members.iter().zip(&sums) {
                let start = member.target * channels + first;
                self.target[start..start + G].copy_from_slice(sums);
            }
        }
        if !self.epilogue.is_empty() {
            let first_pixel = self.plan.first_pixel(&self.region);
            for member in members {
                let values = &mut self.target[member.target * channels..][..blocks * G];
                let pixel = first_pixel + member.target;
                self.epilogue.apply::<L, W>(values, pixel, channels, 0);
            }
        }
    }
}

/// Writes the sums of the channels that exist, to the values of a pixel from channel `first` on.
#[inline(always)]
fn write<const G: usize>(target: &mut [f32], (first, channels): (usize, usize), sums: &[f32; G]) {
    let len = G.min(channels - first);
    match target.first_chunk_mut::<G>() {
        Some(all) if len == G => {
            *all = *sums;
            fetch(&target[G..], (channels - first - G).min(G));
        }
        _ => {
            for (value, sum) in target[..len].iter_mut().zip(sums) {
                *value = *sum;
            }
        }
    }
}

/// Where `G` channels of a region's source are.
trait Source<const G: usize>: Copy {
    /// The values from a pixel on.
    type From: Copy;

    /// The values from each of some pixels on, all of one length, so that one check of an offset is enough for all.
    fn from<const P: usize>(self, members: &[Member; P]) -> [Self::From; P];

    /// The values of the pixel at an offset.
    fn at(self, from: Self::From, offset: usize) -> [f32; G];
}

/// Side by side.
#[derive(Clone, Copy)]
struct Copies<'a, const G: usize>(&'a [[f32; G]]);

impl<'a, const G: usize> Source<G> for Copies<'a, G> {
    type From = &'a [[f32; G]];

    #[inline(always)]
    fn from<const P: usize>(self, members: &[Member; P]) -> [Self::From; P] {
        let last = members
            .iter()
            .fold(0, |last, member| last.max(member.source));
        let len = self.0.len().saturating_sub(last);
        std::array::from_fn(|p| &self.0[members[p].source..][..len])
    }

    #[inline(always)]
    fn at(self, from: Self::From, offset: usize) -> [f32; G] {
        from[offset]
    }
}

/// Among all channels.
#[derive(Clone, Copy)]
struct InPlace<'a> {
    values: &'a [f32],
    channels: usize,
    /// The block's first channel.
    first: usize,
}

impl<'a, const G: usize> Source<G> for InPlace<'a> {
    type From = &'a [f32];

    #[inline(always)]
    fn from<const P: usize>(self, members: &[Member; P]) -> [Self::From; P] {
        let last = members
            .iter()
            .fold(0, |last, member| last.max(member.source));
        let len = self.values.len().saturating_sub(last * self.channels);
        std::array::from_fn(|p| &self.values[members[p].source * self.channels..][..len])
    }

    #[inline(always)]
    fn at(self, from: Self::From, offset: usize) -> [f32; G] {
        group(from, offset * self.channels + self.first)
    }
}

/// Writes the sums of a block of channels for all pixels of a region.
#[inline(always)]
fn sums<L: Lanes, const G: usize>(
    source: impl Source<G>,
    plan: &Plan,
    members: &[Vec<Member>],
    weights: &[[f32; G]],
    (first, channels): (usize, usize),
    target: &mut [f32],
) {
    for (class, members) in plan.taps().iter().zip(members) {
        let (tiles, rest) = members.as_chunks::<TILE>();
        for members in tiles {
            let sums = tile::<L, G, TILE>(source, class, weights, members);
            for (member, sums) in members.iter().zip(&sums) {
                let target = &mut target[member.target * channels + first..];
                write(target, (first, channels), sums);
            }
        }
        for member in rest {
            let [sums] = tile::<L, G, 1>(source, class, weights, &[*member]);
            let target = &mut target[member.target * channels + first..];
            write(target, (first, channels), &sums);
        }
    }
}

/// The sums of some pixels of a class.
#[inline(always)]
fn tile<L: Lanes, const G: usize, const P: usize>(
    source: impl Source<G>,
    taps: &[Tap],
    weights: &[[f32; G]],
    members: &[Member; P],
) -> [[f32; G]; P] {
    // Without taps the source of a pixel can be beyond the end.
    if taps.is_empty() {
        return [[0.0; G]; P];
    }
    let sources = source.from(members);
    let mut sums = [[0.0; G]; P];
    for tap in taps {
        let w = &weights[tap.tap];
        for p in 0..P {
            let x = source.at(sources[p], tap.offset);
            for g in 0..G {
                sums[p][g] = L::mul_add(x[g], w[g], sums[p][g]);
            }
        }
    }
    sums
}
