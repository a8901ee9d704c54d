//! Direct convolution as a matrix product of gathered rows: forward, and with respect to the input.
//!
//! If the weights fit into L2, a task is some output pixels with all channels; otherwise it is more
//! pixels with a group of blocks of channels.

use std::ops::Range;

use rayon::prelude::*;

use super::classes::{Pixel, Plan};
use super::epilogue::{Epilogue, Rows};
use super::sums::{KBlocks, Sums};
use crate::isa::{Isa, dispatch, prefetch};
use crate::microkernel::panel_width;

/// Output pixels whose tasks are created together. Bounds the lists of pixels.
const PIXELS_PER_LIST: usize = 4096;
/// Output pixels in a task, if there are many.
const PIXELS_PER_TASK: usize = 384;
/// Smallest number of output pixels in a task: four tiles. Also the number of pixels per read of a
/// block of weights from L2, if all weights fit.
const LEAST_PIXELS: usize = 24;
/// Desired number of tasks, if there are few pixels.
const TASKS: usize = 32;
/// Channels in a group, if there are enough tasks. A kernel of one pixel reads no input twice in a panel, but again in
/// each panel of its group.
const GROUP: usize = 64;
const GROUP_OF_ONE: usize = 512;

/// Largest number of weights that fit into L2 together with the other data of a task.
const FEW_WEIGHTS: usize = 128 * 1024;
/// Largest number of input values in a task, beside as many weights.
const INPUTS_PER_TASK: usize = 96 * 1024;
/// The same for a kernel of one pixel whose weights come from beyond L2: 196 KB, which stay in L2 while all panels pass.
const INPUTS_OF_ONE: usize = 48 * 1024;

/// Writes all of `output`, `[pixels, channels]`, from `input`, read as `plan` says, and from
/// weights that were packed for the plan's direction.
pub(crate) fn convolve(
    isa: Isa,
    plan: &Plan,
    input: &[f32],
    packed: &[f32],
    epilogue: &Epilogue<'_>,
    (output, channels): (&mut [f32], usize),
) {
    if output.is_empty() {
        return;
    }
    let panel = panel_width(isa);
    let blocks = channels.div_ceil(panel);
    let pixels = output.len() / channels;
    let block_len = packed.len() / blocks;
    let rows = block_len / panel;
    let k_blocks = KBlocks::new(plan.runs(), rows);
    let few = packed.len() <= FEW_WEIGHTS && pixels >= TASKS * LEAST_PIXELS;
    // The partition depends on the shape alone.
    let (list, group, task) = if few {
        let most = (INPUTS_PER_TASK / rows.max(1)).clamp(LEAST_PIXELS, PIXELS_PER_TASK);
        let task = pixels
            .div_ceil(TASKS)
            .next_multiple_of(LEAST_PIXELS)
            .min(most);
        (task, blocks, task)
    } else {
        let (most, most_channels) = match plan.taps() {
            1 => {
                let most = (INPUTS_OF_ONE / rows.max(1)).next_multiple_of(LEAST_PIXELS);
                (most.clamp(LEAST_PIXELS, PIXELS_PER_TASK), GROUP_OF_ONE)
            }
            _ => (PIXELS_PER_TASK, GROUP),
        };
        let task = (pixels * blocks).div_ceil(TASKS).clamp(LEAST_PIXELS, most);
        let tasks = pixels.div_ceil(task) * blocks;
        let group = (tasks / TASKS).clamp(1, (most_channels / panel).max(1));
        (PIXELS_PER_LIST, group, task)
    };
    output
        .par_chunks_mut(list * channels)
        .enumerate()
        .for_each(|(at, output)| {
            let first = at * list;
            let classes = plan.by_class(first..first + output.len() / channels);
            let pixels: Vec<_> = (0..)
                .zip(&classes)
                .flat_map(|(class, pixels)| pixels.iter().map(move |pixel| (class, *pixel)))
                .collect();
            split_channels(output, channels, group * panel)
                .into_par_iter()
                .enumerate()
                .for_each(|(at, mut values)| {
                    // Ordered by class, so that nearly all tiles are full.
                    let mut rows: Vec<_> = pixels
                        .iter()
                        .map(|(_, pixel)| std::mem::take(&mut values[pixel.index - first]))
                        .collect();
                    rows.par_chunks_mut(task)
                        .zip(pixels.par_chunks(task))
                        .for_each(|(values, pixels)| {
                            let task = Task {
                                isa,
                                input,
                                packed: &packed[at * group * block_len..],
                                panel,
                                k_blocks: &k_blocks,
                                few,
                                epilogue,
                                channels,
                                first_channel: at * group * panel,
                            };
                            task.run(pixels, values);
                        });
                });
        });
}

/// The rows of `[pixels, channels]`, cut into blocks of `panel` channels: for each block, its part
/// of each pixel.
pub(crate) fn split_channels(
    output: &mut [f32],
    channels: usize,
    panel: usize,
) -> Vec<Vec<&mut [f32]>> {
    let pixels = output.len() / channels;
    let mut blocks: Vec<Vec<&mut [f32]>> = (0..channels.div_ceil(panel))
        .map(|_| Vec::with_capacity(pixels))
        .collect();
    for pixel in output.chunks_exact_mut(channels) {
        for (block, part) in blocks.iter_mut().zip(pixel.chunks_mut(panel)) {
            block.push(part);
        }
    }
    blocks
}

/// A group of blocks of output channels of some pixels.
struct Task<'a> {
    isa: Isa,
    input: &'a [f32],
    /// From the group's first block on.
    packed: &'a [f32],
    /// Channels in a block.
    panel: usize,
    k_blocks: &'a KBlocks,
    /// Whether all weights fit into L2, so that few pixels at a time are finished.
    few: bool,
    epilogue: &'a Epilogue<'a>,
    channels: usize,
    first_channel: usize,
}

impl Task<'_> {
    /// Writes the group's channels of some pixels, given with their classes.
    fn run(&self, mut pixels: &[(usize, Pixel)], mut values: &mut [&mut [f32]]) {
        let all = 0..values.first().map_or(0, |values| values.len());
        if self.few {
            self.fetch(pixels, values, &all);
        }
        while !values.is_empty() {
            let count = if self.few {
                run_of_class(&pixels[..values.len()])
            } else {
                values.len()
            };
            self.sums(pixels, values, count);
            let (now, later) = values.split_at_mut(count);
            let rows = Rows {
                epilogue: self.epilogue,
                pixels,
                values: now,
                channels: self.channels,
                first: self.first_channel,
            };
            dispatch(self.isa, rows);
            (pixels, values) = (&pixels[count..], later);
        }
    }

    /// Writes the sums of the first `count` pixels. Meanwhile fetches what comes from beyond L2 and is needed soon:
    /// places and residuals of the next pixels, and inputs of each next tile if the weights are in L2, or otherwise
    /// the next weights.
    fn sums(&self, pixels: &[(usize, Pixel)], values: &mut [&mut [f32]], count: usize) {
        let width = values.first().map_or(0, |values| values.len());
        let block_len = self.k_blocks.all_rows() * self.panel;
        for (k_block, parts) in self.k_blocks.blocks.iter().enumerate() {
            for (at, column) in (0..width).step_by(self.panel).enumerate() {
                let columns = column..width.min(column + self.panel);
                let mut ahead = self.weights_after(k_block, at, columns.end < width);
                let share = ahead.len() / count;
                let (mut pixels, mut values, mut left) = (pixels, &mut *values, count);
                if k_block == 0 && !self.few {
                    self.fetch(pixels, values, &columns);
                }
                while left > 0 {
                    let count = run_of_class(&pixels[..left]);
                    let (now, later) = values.split_at_mut(count);
                    if k_block == 0 {
                        self.fetch(&pixels[count..], later, &columns);
                    }
                    let (weights, rest) = ahead.split_at(share * count);
                    let sums = Sums {
                        part: &parts[pixels[0].0],
                        input: self.input,
                        panel: &self.packed[at * block_len..][..block_len],
                        column,
                        pixels,
                        values: now,
                        fetch_inputs: self.few && column == 0,
                        fetch: weights,
                    };
                    sums.add(self.isa);
                    left -= count;
                    (pixels, values, ahead) = (&pixels[count..], later, rest);
                }
            }
        }
    }

    /// Fetches some columns of the first pixels, and the residuals that belong to them.
    fn fetch(&self, pixels: &[(usize, Pixel)], values: &[&mut [f32]], columns: &Range<usize>) {
        for (values, (_, pixel)) in values.iter().zip(pixels).take(LEAST_PIXELS) {
            prefetch(&values[columns.clone()]);
            let first = self.first_channel + columns.start;
            self.epilogue
                .prefetch(columns.len(), pixel.index, self.channels, first);
        }
    }

    /// The weights that are read after a block of rows of a panel, if they come from beyond L2. `more` says whether
    /// there are more panels.
    fn weights_after(&self, k_block: usize, at: usize, more: bool) -> &[f32] {
        let last = k_block + 1 == self.k_blocks.blocks.len();
        let (k_block, at) = match (more, last) {
            (true, _) => (k_block, at + 1),
            (false, false) => (k_block + 1, 0),
            // Those of the next group, which the same thread will most likely use.
            (false, true) => (0, at + 1),
        };
        let row = at * self.k_blocks.all_rows() + k_block * self.k_blocks.rows;
        let end = (row + self.k_blocks.rows) * self.panel;
        if self.few {
            return &[];
        }
        self.packed.get(row * self.panel..end).unwrap_or_default()
    }
}

/// The number of pixels that belong to the class of the first, at most [`LEAST_PIXELS`].
fn run_of_class(pixels: &[(usize, Pixel)]) -> usize {
    let same = |pixel: &&(usize, Pixel)| pixel.0 == pixels[0].0;
    pixels.iter().take(LEAST_PIXELS).take_while(same).count()
}
