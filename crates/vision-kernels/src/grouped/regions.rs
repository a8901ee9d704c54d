//! Regions of the output, and copies of the channels of a group.

use std::ops::Range;

use crate::conv::{Pixel, Plan};

/// Pixels of the output in a region, if there are many. The copies of a group's channels then fit into L1 or L2.
const PIXELS: usize = 256;

/// Some pixels of the output, with the pixels of the input that they read.
pub(super) struct Region {
    /// By class; the bases are relative to `reads`.
    pub(super) classes: Vec<Vec<Pixel>>,
    /// Pixels of the input.
    pub(super) reads: Range<usize>,
}

impl Region {
    /// Of the output pixels of a range. `channels` is the number of channels of a group of the input.
    pub(super) fn new(plan: &Plan, pixels: Range<usize>, channels: usize) -> Self {
        let first = pixels.start;
        let mut classes = plan.by_class(pixels);
        let (mut start, mut end) = (usize::MAX, 0);
        for (runs, pixels) in plan.runs().iter().zip(&classes) {
            let Some(last) = runs.iter().map(|run| run.offset + run.len).max() else {
                continue;
            };
            for pixel in pixels {
                start = start.min(pixel.base);
                end = end.max(pixel.base + last);
            }
        }
        let start = start.min(end) / channels * channels;
        for pixel in classes.iter_mut().flatten() {
            pixel.index -= first;
            // Pixels that read nothing have any base.
            pixel.base = pixel.base.saturating_sub(start);
        }
        Self {
            classes,
            reads: start / channels..end.div_ceil(channels),
        }
    }
}

/// Ranges of the output pixels, by the shape alone: whole rows.
pub(super) fn ranges(pixels: usize, width: usize) -> Vec<Range<usize>> {
    let step = (PIXELS / width).max(1) * width;
    (0..pixels)
        .step_by(step)
        .map(|start| start..pixels.min(start + step))
        .collect()
}

/// Copies `len` channels of each pixel of `[pixels, channels]` from `first` on to rows of `width`. The values beyond
/// them stay as they are.
#[inline(always)]
pub(super) fn copy(
    values: &[f32],
    channels: usize,
    (first, len): (usize, usize),
    width: usize,
    copies: &mut [f32],
) {
    // A region that sees nothing but padding.
    if copies.is_empty() {
        return;
    }
    match len {
        4 => copy_by::<4>(values, channels, first, width, copies),
        8 => copy_by::<8>(values, channels, first, width, copies),
        16 => copy_by::<16>(values, channels, first, width, copies),
        _ if len % 8 == 0 => {
            for part in (0..len).step_by(8) {
                copy_by::<8>(values, channels, first + part, width, &mut copies[part..]);
            }
        }
        _ => {
            for (pixel, copy) in values.chunks_exact(channels).zip(copies.chunks_mut(width)) {
                for (copy, value) in copy[..len].iter_mut().zip(&pixel[first..first + len]) {
                    *copy = *value;
                }
            }
        }
    }
}

#[inline(always)]
fn copy_by<const N: usize>(
    values: &[f32],
    channels: usize,
    first: usize,
    width: usize,
    copies: &mut [f32],
) {
    for (pixel, copy) in values.chunks_exact(channels).zip(copies.chunks_mut(width)) {
        copy[..N].copy_from_slice(&pixel[first..first + N]);
    }
}
