//! Gradient with respect to the weights: for each tap, a sum of outer products over output pixels.

use std::ops::Range;

use rayon::prelude::*;

use super::classes::{Pixel, Plan, Run};
use super::{ConvShape, pack};
use crate::isa::{Isa, Lanes, prefetch};
use crate::microkernel::{
    TileKernel, add_outer, dispatch_tiled, panel_rows, panel_width, with_rows,
};
use crate::scratch::Scratch;

/// Largest number of weight rows in a task: with 64 columns 295 KB, which stay in L2.
const ROWS_PER_TASK: usize = 1152;
/// Desired number of tasks. To reach it, the pixels are split, whose partial sums cost memory, or
/// tasks get fewer blocks.
const TASKS: usize = 16;
const LEAST_TASKS: usize = 8;
/// Smallest number of pixels in a partial sum.
const LEAST_PIXELS: usize = 192;
/// Largest number of values in all partial sums together.
const FEW_SUMS: usize = 1 << 20;

/// Pixels whose inputs are copied together.
const PIXELS_PER_COPY: usize = 8;

/// How many pixels before they are copied output gradients are fetched.
const PIXELS_AHEAD: usize = 4;

/// What is copied, and for how many outputs.
struct Sizes {
    /// Pixels whose output gradients are copied together. With 64 columns they fill three quarters of L1, with 16 three eighths.
    pixels: usize,
    /// Inputs of each of these pixels that are copied together: 111 KB, which stay in L2, or 74 KB.
    inputs: usize,
    /// Largest number of blocks of output channels in a task. They share one copy of the inputs.
    blocks: usize,
}

impl Sizes {
    /// As measured: with narrow panels a copy for few columns costs more than it saves.
    const fn of(panel: usize) -> Self {
        let (pixels, inputs, blocks) = if panel == 64 {
            (96, 288, 4)
        } else {
            (192, 96, 24)
        };
        Self {
            pixels,
            inputs,
            blocks,
        }
    }
}

/// Writes all of `gradient`, `[out_channels, in_channels, kernel, kernel]`.
pub(crate) fn backward_weight(
    isa: Isa,
    shape: &ConvShape,
    input: &[f32],
    output_gradient: &[f32],
    gradient: &mut [f32],
) {
    if gradient.is_empty() {
        return;
    }
    let plan = Plan::forward(shape);
    let live = plan.live_taps();
    let panel = panel_width(isa);
    let rows = shape.taps() * shape.in_channels;
    let blocks = shape.out_channels.div_ceil(panel);
    let pixels = output_gradient.len() / shape.out_channels;
    // The partition depends on the shape alone, so that sums do not depend on the number of
    // threads.
    let row_chunks = rows.div_ceil(ROWS_PER_TASK);
    let task_rows = rows.div_ceil(row_chunks);
    let len = blocks * rows * panel;
    let most_parts = (FEW_SUMS / len).clamp(1, pixels.div_ceil(LEAST_PIXELS).max(1));
    let mut together = Sizes::of(panel).blocks;
    let parts = loop {
        let tasks = blocks.div_ceil(together) * row_chunks;
        let parts = TASKS.div_ceil(tasks).min(most_parts);
        if together == 1 || tasks * parts >= LEAST_TASKS {
            break parts;
        }
        together /= 2;
    };
    let part_pixels = pixels.div_ceil(parts);
    let classes: Vec<_> = (0..parts)
        .map(|part| {
            let start = pixels.min(part * part_pixels);
            plan.by_class(start..pixels.min(start + part_pixels))
        })
        .collect();
    let mut sums = Scratch::take(parts * len);
    let mut tasks = Vec::new();
    for (sums, classes) in sums.chunks_mut(len).zip(&classes) {
        for (group, sums) in sums.chunks_mut(together * rows * panel).enumerate() {
            let mut chunks: Vec<Vec<&mut [f32]>> = Vec::new();
            chunks.resize_with(row_chunks, Vec::new);
            for sums in sums.chunks_mut(rows * panel) {
                let parts = sums.chunks_mut(task_rows * panel);
                chunks
                    .iter_mut()
                    .zip(parts)
                    .for_each(|(chunk, part)| chunk.push(part));
            }
            for (chunk, sums) in chunks.into_iter().enumerate() {
                let start = chunk * task_rows;
                tasks.push(Task {
                    input,
                    output_gradient,
                    channels: shape.out_channels,
                    first_channel: group * together * panel,
                    inputs: shape.in_channels,
                    live: &live,
                    runs: plan.runs(),
                    classes,
                    rows: start..rows.min(start + task_rows),
                    sums,
                });
            }
        }
    }
    tasks
        .into_par_iter()
        .with_max_len(1)
        .for_each(|task| dispatch_tiled(isa, task));
    add_parts(&mut sums, len);
    pack::unpack(shape, panel, &live, &sums[..len], gradient);
}

/// Adds the partial sums of `len` values each to the first one, in order.
pub(crate) fn add_parts(sums: &mut [f32], len: usize) {
    let (total, parts) = sums.split_at_mut(len);
    total
        .par_chunks_mut(4096)
        .enumerate()
        .for_each(|(chunk, total)| {
            for part in parts.chunks_exact(len) {
                for (total, value) in total.iter_mut().zip(&part[chunk * 4096..]) {
                    *total += value;
                }
            }
        });
}

/// Some weight rows of some blocks of output channels.
struct Task<'a> {
    input: &'a [f32],
    output_gradient: &'a [f32],
    channels: usize,
    first_channel: usize,
    /// Channels of the input.
    inputs: usize,
    /// Taps that are used.
    live: &'a [bool],
    runs: &'a [Vec<Run>],
    classes: &'a [Vec<Pixel>],
    rows: Range<usize>,
    /// `[rows][panel]` for each block.
    sums: Vec<&'a mut [f32]>,
}

impl TileKernel for Task<'_> {
    #[inline(always)]
    fn run<L: Lanes, const W: usize, const NV: usize, const MR: usize>(mut self) {
        let panel = NV * W;
        let sizes = Sizes::of(panel);
        for sums in &mut self.sums {
            for (row, sums) in self.rows.clone().zip(sums.chunks_exact_mut(panel)) {
                if self.live[row / self.inputs] {
                    sums.fill(0.0);
                }
            }
        }
        let last_channel = self
            .channels
            .min(self.first_channel + self.sums.len() * panel);
        // Copied side by side and padded with zeros. In place, the gradients of neighboring pixels
        // are so far apart that few of them fit into L1 together.
        let len = sizes.pixels * panel;
        let mut gradients = Scratch::zeros(self.sums.len() * len);
        let mut inputs = Scratch::take(sizes.pixels * sizes.inputs);
        for (runs, pixels) in self.runs.iter().zip(self.classes) {
            let runs: Vec<Run> = runs.iter().filter_map(|run| run.clip(&self.rows)).collect();
            if runs.is_empty() {
                continue;
            }
            for pixels in pixels.chunks(sizes.pixels) {
                let values = |pixel: &Pixel| {
                    let start = pixel.index * self.channels;
                    &self.output_gradient[start + self.first_channel..start + last_channel]
                };
                for (at, pixel) in pixels.iter().enumerate() {
                    if let Some(pixel) = pixels.get(at + PIXELS_AHEAD) {
                        prefetch(values(pixel));
                    }
                    let values = values(pixel);
                    let mut rows = gradients[at * panel..].chunks_mut(len);
                    let whole = values.len() - values.len() % panel;
                    // Panels of a constant size, and apart from the last one: otherwise each is a function call.
                    for (values, row) in panel_rows::<W, NV>(&values[..whole]).iter().zip(&mut rows)
                    {
                        let (row, _) = row.as_chunks_mut::<W>();
                        if let Some(row) = row.first_chunk_mut::<NV>() {
                            *row = *values;
                        }
                    }
                    if whole < values.len()
                        && let Some(row) = rows.next()
                    {
                        row[..values.len() - whole].copy_from_slice(&values[whole..]);
                    }
                }
                for run in runs.iter().flat_map(|run| run.pieces(sizes.inputs)) {
                    let inputs = &mut inputs[..pixels.len() * run.len];
                    self.copy::<MR>(pixels, &run, inputs);
                    let first = run.row - self.rows.start;
                    for (sums, gradients) in self.sums.iter_mut().zip(gradients.chunks_exact(len)) {
                        let gradients = panel_rows::<W, NV>(&gradients[..pixels.len() * panel]);
                        let sums = &mut sums[first * panel..(first + run.len) * panel];
                        add_run::<L, W, NV, MR>(inputs, gradients, sums);
                    }
                }
            }
        }
    }
}

impl Task<'_> {
    /// Copies the inputs of a run, `[tiles][pixels][rows of a tile]`, so that each tile reads them in their order. In place, or
    /// with all of a pixel's side by side, a tile reads a part of a cache line of each pixel.
    #[inline(always)]
    fn copy<const MR: usize>(&self, pixels: &[Pixel], run: &Run, inputs: &mut [f32]) {
        let whole = run.len - run.len % MR;
        let (tiles, rest) = inputs.split_at_mut(whole * pixels.len());
        let tiles = tiles.as_chunks_mut::<MR>().0;
        let row = |pixel: &Pixel| &self.input[pixel.base + run.offset..][..run.len];
        // Few pixels at a time, so that whole cache lines of a tile are written, while the next ones are fetched.
        let mut first = 0;
        for some in pixels.chunks(PIXELS_PER_COPY) {
            let next = pixels[first + some.len()..].iter().take(PIXELS_PER_COPY);
            next.for_each(|pixel| prefetch(row(pixel)));
            for (at, pixel) in (first..).zip(some) {
                let values = row(pixel).as_chunks::<MR>().0;
                for (tile, values) in tiles.chunks_exact_mut(pixels.len()).zip(values) {
                    tile[at] = *values;
                }
            }
            first += some.len();
        }
        if whole < run.len {
            for (values, pixel) in rest.chunks_exact_mut(run.len - whole).zip(pixels) {
                values.copy_from_slice(&row(pixel)[whole..]);
            }
        }
    }
}

/// Adds the contribution of some pixels to the sums of one run. `inputs` is of [`Task::copy`].
#[inline(always)]
fn add_run<L: Lanes, const W: usize, const NV: usize, const MR: usize>(
    inputs: &[f32],
    gradients: &[[[f32; W]; NV]],
    sums: &mut [f32],
) {
    let (sums, _) = sums.as_chunks_mut::<W>();
    let (sums, _) = sums.as_chunks_mut::<NV>();
    let (tiles, rest) = sums.as_chunks_mut::<MR>();
    let (whole, last) = inputs.split_at(tiles.len() * MR * gradients.len());
    for (tile, inputs) in tiles
        .iter_mut()
        .zip(whole.chunks_exact(MR * gradients.len()))
    {
        let mut sums = *tile;
        add_outer::<L, W, NV, MR>(&mut sums, (inputs, MR), 0, gradients);
        *tile = sums;
    }
    with_rows!(rest.len(), |ROWS| {
        if let Some(tile) = rest.first_chunk_mut::<ROWS>() {
            let mut sums = *tile;
            add_outer::<L, W, NV, ROWS>(&mut sums, (last, ROWS), 0, gradients);
            *tile = sums;
        }
    });
}
