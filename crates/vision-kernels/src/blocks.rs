//! How work is cut into pieces: by the shape alone, so that no result depends on the number of threads.

use rayon::prelude::*;

use crate::isa::Lanes;

/// Elements of a block of memory-bound work: 128 KiB, so that what a block reads twice is still in the
/// core's own cache, and that handing it out costs nothing beside it.
pub(crate) const BLOCK: usize = 1 << 15;

/// Elements below which waking another thread costs more than it saves.
const SERIAL: usize = 1 << 15;

/// Runs every task and returns the results in the order of the tasks. `elements` is the size of the
/// whole work: little of it stays on this thread, cut into the same tasks.
pub(crate) fn run<T: Send, R: Send>(
    tasks: Vec<T>,
    elements: usize,
    work: impl Fn(T) -> R + Send + Sync,
) -> Vec<R> {
    if elements < SERIAL || tasks.len() < 2 {
        return tasks.into_iter().map(work).collect();
    }
    tasks.into_par_iter().with_max_len(1).map(work).collect()
}

/// Blocks of a slice that may not be there.
pub(crate) fn optional(slice: Option<&[f32]>, size: usize) -> impl Iterator<Item = Option<&[f32]>> {
    let mut blocks = slice.map(|slice| slice.chunks(size));
    std::iter::from_fn(move || match &mut blocks {
        Some(blocks) => blocks.next().map(Some),
        None => Some(None),
    })
}

/// Blocks of a mutable slice that may not be there.
pub(crate) fn optional_mut<T>(
    slice: Option<&mut [T]>,
    size: usize,
) -> impl Iterator<Item = Option<&mut [T]>> {
    let mut blocks = slice.map(|slice| slice.chunks_mut(size));
    std::iter::from_fn(move || match &mut blocks {
        Some(blocks) => blocks.next().map(Some),
        None => Some(None),
    })
}

/// Work on `G` neighbouring channels, whose values so far stay in registers over many pixels.
pub(crate) trait Group {
    /// Does it for the channels from `first` on. Must be `#[inline(always)]`.
    fn run<const G: usize>(&mut self, first: usize);
}

/// Runs `group` over all channels: in groups of two registers of `f32`, then in smaller ones.
#[inline(always)]
pub(crate) fn for_groups<L: Lanes>(channels: usize, group: &mut impl Group) {
    let mut first = 0;
    if L::WIDTH == 16 {
        while first + 32 <= channels {
            group.run::<32>(first);
            first += 32;
        }
    }
    if L::WIDTH >= 8 {
        while first + 16 <= channels {
            group.run::<16>(first);
            first += 16;
        }
    }
    while first + 8 <= channels {
        group.run::<8>(first);
        first += 8;
    }
    while first < channels {
        group.run::<1>(first);
        first += 1;
    }
}

/// The `G` values of a pixel from channel `first` on. The caller has checked that they are there.
#[inline(always)]
pub(crate) fn group<T: Copy + Default, const G: usize>(pixel: &[T], first: usize) -> [T; G] {
    let mut values = [T::default(); G];
    values.copy_from_slice(&pixel[first..first + G]);
    values
}

/// The greatest value of each channel so far, and where it was: as in PyTorch the first of equal ones, and
/// NaN above all. Makes new arrays, since with the old ones changed in place the compiler keeps them in
/// memory, for which loads would wait.
#[inline(always)]
pub(crate) fn greater<const G: usize>(
    (best, places): ([f32; G], [u32; G]),
    values: [f32; G],
    place: u32,
) -> ([f32; G], [u32; G]) {
    let (mut new_best, mut new_places) = ([0.0; G], [0; G]);
    for c in 0..G {
        let better = (values[c] > best[c]) | values[c].is_nan();
        new_best[c] = if better { values[c] } else { best[c] };
        new_places[c] = if better { place } else { places[c] };
    }
    (new_best, new_places)
}

/// Values per channel, repeated so that a loop over them is long enough to pay however few channels
/// there are: the values of a block of pixels, taken `len()` at a time, meet their channel's.
pub(crate) fn repeated(values: &[f32]) -> Vec<f32> {
    values.repeat((512 / values.len().max(1)).max(1))
}

/// Pixels of a block that is summed up: at least 64, so that the sums are small beside what they sum.
pub(crate) fn pixels_per_sum(channels: usize) -> usize {
    (BLOCK / channels.max(1)).max(64)
}

/// Pixels of a block that are summed up group by group of channels before the next: 16 KiB, so that memory is
/// read nearly in its order. From all of a block's pixels little at a time comes a third slower.
pub(crate) fn pixels_together(channels: usize) -> usize {
    ((1 << 12) / channels.max(1)).max(4)
}

/// Adds up partial sums, in their order.
pub(crate) fn total(parts: Vec<[Vec<f64>; 2]>) -> [Vec<f64>; 2] {
    let mut parts = parts.into_iter();
    let Some(mut total) = parts.next() else {
        return [Vec::new(), Vec::new()];
    };
    for part in parts {
        for (total, part) in total.iter_mut().zip(&part) {
            for (total, part) in total.iter_mut().zip(part) {
                *total += part;
            }
        }
    }
    total
}
