//! Partition of work into tasks, by the shape alone, so that no result depends on the number of
//! threads.

use rayon::prelude::*;

use crate::isa::Lanes;

/// Elements in a block of memory-bound work: 128 KiB. Small enough that data which a block reads
/// twice stays in the core's own cache, and large enough that scheduling costs nothing in
/// comparison.
pub(crate) const BLOCK: usize = 1 << 15;

/// Below this number of elements, waking another thread costs more than it saves.
const SERIAL: usize = 1 << 15;

/// Runs every task and returns the results in the order of the tasks. `elements` is the size of the
/// whole work: small work runs on this thread, with the same tasks.
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

/// Blocks of an optional slice.
pub(crate) fn optional(slice: Option<&[f32]>, size: usize) -> impl Iterator<Item = Option<&[f32]>> {
    let mut blocks = slice.map(|slice| slice.chunks(size));
    std::iter::from_fn(move || match &mut blocks {
        Some(blocks) => blocks.next().map(Some),
        None => Some(None),
    })
}

/// Blocks of an optional mutable slice.
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

/// Work on `G` neighboring channels, with accumulators that stay in registers over many pixels.
pub(crate) trait Group {
    /// Processes the channels from `first` on. Must be `#[inline(always)]`.
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

/// The `G` values of a pixel from channel `first` on. The caller has checked that they exist.
#[inline(always)]
pub(crate) fn group<T: Copy + Default, const G: usize>(pixel: &[T], first: usize) -> [T; G] {
    let mut values = [T::default(); G];
    values.copy_from_slice(&pixel[first..first + G]);
    values
}

/// The greatest value of each channel so far, and its position: as in PyTorch, the first of equal
/// values, and NaN above all. Returns new arrays: if the old ones were changed in place, the
/// compiler would keep them in memory, and loads would wait.
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

/// Values per channel, repeated so that a loop over them is long enough for vector code even with
/// few channels. Blocks of pixels are processed `len()` values at a time, and each value meets its
/// channel's.
pub(crate) fn repeated(values: &[f32]) -> Vec<f32> {
    values.repeat((512 / values.len().max(1)).max(1))
}

/// Pixels in a block that is summed: at least 64, so that the sums are small compared with their
/// inputs.
pub(crate) fn pixels_per_sum(channels: usize) -> usize {
    (BLOCK / channels.max(1)).max(64)
}

/// Pixels of a block that are summed for one group of channels before the next group: 16 KiB, so
/// that memory is read nearly in order. Taking all pixels of a block for each group is a third
/// slower.
pub(crate) fn pixels_together(channels: usize) -> usize {
    ((1 << 12) / channels.max(1)).max(4)
}

/// Adds up partial sums, in order.
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
