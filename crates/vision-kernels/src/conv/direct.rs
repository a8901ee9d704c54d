//! Direct convolution as a matrix product of gathered rows: forward, and with respect to the input.
//!
//! If the weights fit into L2, a task is some output pixels with all channels; otherwise it is more
//! pixels with one block of channels.

use rayon::prelude::*;

use super::classes::{Pixel, Plan, Run};
use super::epilogue::Epilogue;
use crate::isa::{Isa, Lanes};
use crate::microkernel::{
    Tile, TileKernel, add_rows, dispatch_tiled, panel_rows, panel_width, with_rows,
};

/// Output pixels whose tasks are created together. Bounds the lists of pixels.
const PIXELS_PER_LIST: usize = 4096;
/// Output pixels in a task, if there are many.
const PIXELS_PER_TASK: usize = 384;
/// Smallest number of output pixels in a task: four tiles.
const LEAST_PIXELS: usize = 24;
/// Desired number of tasks, if there are few pixels.
const TASKS: usize = 32;
/// Rows of weights that are used for all pixels of a task before the next rows: with 64 columns 295
/// KB, which stay in L2.
const ROWS_PER_BLOCK: usize = 1152;

/// Largest number of weights that fit into L2 together with the other data of a task.
const FEW_WEIGHTS: usize = 128 * 1024;
/// Largest number of input values in a task, beside as many weights.
const INPUTS_PER_TASK: usize = 96 * 1024;

/// Number of tiles per read of a block of weights from L2.
const TILES_TOGETHER: usize = 4;

/// A pixel in a task of one block of channels.
struct Target<'a> {
    class: usize,
    /// Base in the input.
    base: usize,
    /// Index in the output.
    pixel: usize,
    /// The channels of this task's block.
    values: &'a mut [f32],
}

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
    // The partition depends on the shape alone, so that sums do not depend on the number of
    // threads.
    if packed.len() <= FEW_WEIGHTS && pixels >= TASKS * LEAST_PIXELS {
        let task_pixels = pixels
            .div_ceil(TASKS)
            .min(INPUTS_PER_TASK / rows.max(1))
            .clamp(LEAST_PIXELS, PIXELS_PER_TASK);
        output
            .par_chunks_mut(task_pixels * channels)
            .enumerate()
            .for_each(|(task, output)| {
                let first_pixel = task * task_pixels;
                let end = first_pixel + output.len() / channels;
                dispatch_tiled(
                    isa,
                    PixelsTask {
                        input,
                        packed,
                        block_len,
                        k_blocks: &k_blocks,
                        classes: &plan.by_class(first_pixel..end),
                        output,
                        first_pixel,
                        epilogue,
                        channels,
                    },
                );
            });
        return;
    }
    let task_pixels = (pixels * blocks)
        .div_ceil(TASKS)
        .clamp(LEAST_PIXELS, PIXELS_PER_TASK);
    output
        .par_chunks_mut(PIXELS_PER_LIST * channels)
        .enumerate()
        .for_each(|(list, output)| {
            let first = list * PIXELS_PER_LIST;
            let classes = plan.by_class(first..first + output.len() / channels);
            split_channels(output, channels, panel)
                .into_par_iter()
                .enumerate()
                .for_each(|(block, mut values)| {
                    // Ordered by class, so that nearly all tiles are full.
                    let mut targets = Vec::with_capacity(values.len());
                    for (class, pixels) in classes.iter().enumerate() {
                        targets.extend(pixels.iter().map(|pixel| Target {
                            class,
                            base: pixel.base,
                            pixel: pixel.index,
                            values: std::mem::take(&mut values[pixel.index - first]),
                        }));
                    }
                    targets.par_chunks_mut(task_pixels).for_each(|targets| {
                        dispatch_tiled(
                            isa,
                            Task {
                                input,
                                panel: &packed[block * block_len..][..block_len],
                                k_blocks: &k_blocks,
                                targets,
                                epilogue,
                                channels,
                                first_channel: block * panel,
                            },
                        );
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

/// The runs of each class, cut at the borders of blocks of weight rows.
struct KBlocks {
    /// By block, then by class.
    blocks: Vec<Vec<Part>>,
}

/// What a class reads in one block of weight rows.
#[derive(Default)]
struct Part {
    runs: Vec<Run>,
    /// Whether this is the first block: there are no earlier sums to add to.
    first: bool,
    /// Whether this is the last block, after which the epilogue follows.
    last: bool,
}

impl Part {
    /// Adds the contribution of some pixels to a tile.
    #[inline(always)]
    fn sum<L: Lanes, const W: usize, const NV: usize, const MR: usize>(
        &self,
        start: Tile<W, NV, MR>,
        input: &[f32],
        bases: [usize; MR],
        panel: &[f32],
    ) -> Tile<W, NV, MR> {
        // A copy, so that the tile stays in registers: see `add_rows`.
        let mut tile = start;
        for run in &self.runs {
            let panel = &panel[run.row * NV * W..(run.row + run.len) * NV * W];
            let rows = bases.map(|base| &input[base + run.offset..][..run.len]);
            add_rows::<L, W, NV, MR>(&mut tile, rows, panel_rows(panel));
        }
        tile
    }
}

impl KBlocks {
    fn new(classes: &[Vec<Run>], rows: usize) -> Self {
        let count = rows.div_ceil(ROWS_PER_BLOCK).max(1);
        let size = rows.div_ceil(count);
        let mut blocks: Vec<Vec<Part>> = (0..count)
            .map(|block| {
                let range = block * size..(block + 1) * size;
                classes
                    .iter()
                    .map(|runs| Part {
                        runs: runs.iter().filter_map(|run| run.clip(&range)).collect(),
                        ..Part::default()
                    })
                    .collect()
            })
            .collect();
        for class in 0..classes.len() {
            // A class without taps, whose output pixels see only padding, is written in block 0.
            let reads = |part: &Vec<Part>| !part[class].runs.is_empty();
            let first = blocks.iter().position(reads).unwrap_or(0);
            let last = blocks.iter().rposition(reads).unwrap_or(0);
            blocks[first][class].first = true;
            blocks[last][class].last = true;
        }
        Self { blocks }
    }
}

/// All output channels of some pixels.
struct PixelsTask<'a> {
    input: &'a [f32],
    packed: &'a [f32],
    block_len: usize,
    k_blocks: &'a KBlocks,
    classes: &'a [Vec<Pixel>],
    /// Begins at `first_pixel`.
    output: &'a mut [f32],
    first_pixel: usize,
    epilogue: &'a Epilogue<'a>,
    channels: usize,
}

impl TileKernel for PixelsTask<'_> {
    #[inline(always)]
    fn run<L: Lanes, const W: usize, const NV: usize, const MR: usize>(mut self) {
        for (class, pixels) in self.classes.iter().enumerate() {
            // Few pixels at a time, with adjacent outputs, so that the hardware prefetcher
            // recognizes the pattern.
            for pixels in pixels.chunks(TILES_TOGETHER * MR) {
                for (block, first_channel) in (0..self.channels).step_by(NV * W).enumerate() {
                    let panel = &self.packed[block * self.block_len..][..self.block_len];
                    for parts in &self.k_blocks.blocks {
                        let part = &parts[class];
                        if part.runs.is_empty() && !part.first {
                            continue;
                        }
                        if self.channels - first_channel >= NV * W {
                            self.tiles::<L, W, NV, MR, true>(part, panel, first_channel, pixels);
                        } else {
                            self.tiles::<L, W, NV, MR, false>(part, panel, first_channel, pixels);
                        }
                    }
                }
            }
        }
    }
}

impl PixelsTask<'_> {
    #[inline(always)]
    fn tiles<L: Lanes, const W: usize, const NV: usize, const MR: usize, const FULL: bool>(
        &mut self,
        part: &Part,
        panel: &[f32],
        first_channel: usize,
        pixels: &[Pixel],
    ) {
        let (tiles, rest) = pixels.as_chunks::<MR>();
        for tile in tiles {
            self.tile::<L, W, NV, MR, FULL>(part, panel, first_channel, tile);
        }
        with_rows!(rest.len(), |ROWS| {
            if let Some(tile) = rest.first_chunk::<ROWS>() {
                self.tile::<L, W, NV, ROWS, FULL>(part, panel, first_channel, tile);
            }
        });
    }

    #[inline(always)]
    fn tile<L: Lanes, const W: usize, const NV: usize, const MR: usize, const FULL: bool>(
        &mut self,
        part: &Part,
        panel: &[f32],
        first_channel: usize,
        pixels: &[Pixel; MR],
    ) {
        let width = (NV * W).min(self.channels - first_channel);
        let places = pixels.map(|pixel| {
            let start = (pixel.index - self.first_pixel) * self.channels + first_channel;
            start..start + width
        });
        let mut start = [[[0.0; W]; NV]; MR];
        if !part.first {
            for (sums, place) in start.iter_mut().zip(&places) {
                load::<W, NV, FULL>(sums, &self.output[place.clone()]);
            }
        }
        let bases = pixels.map(|pixel| pixel.base);
        let tile = part.sum::<L, W, NV, MR>(start, self.input, bases, panel);
        for ((sums, place), pixel) in tile.iter().zip(places).zip(pixels) {
            let values = &mut self.output[place];
            store::<W, NV, FULL>(sums, values);
            if part.last {
                self.epilogue
                    .apply::<L, W>(values, pixel.index, self.channels, first_channel);
            }
        }
    }
}

/// One block of output channels of some pixels.
struct Task<'a, 'b> {
    input: &'a [f32],
    panel: &'a [f32],
    k_blocks: &'a KBlocks,
    targets: &'a mut [Target<'b>],
    epilogue: &'a Epilogue<'a>,
    channels: usize,
    first_channel: usize,
}

impl TileKernel for Task<'_, '_> {
    #[inline(always)]
    fn run<L: Lanes, const W: usize, const NV: usize, const MR: usize>(mut self) {
        let targets = std::mem::take(&mut self.targets);
        if self.channels - self.first_channel >= NV * W {
            self.tiles::<L, W, NV, MR, true>(targets);
        } else {
            self.tiles::<L, W, NV, MR, false>(targets);
        }
    }
}

impl Task<'_, '_> {
    #[inline(always)]
    fn tiles<L: Lanes, const W: usize, const NV: usize, const MR: usize, const FULL: bool>(
        &self,
        targets: &mut [Target<'_>],
    ) {
        for classes in &self.k_blocks.blocks {
            for targets in targets.chunk_by_mut(|a, b| a.class == b.class) {
                let part = &classes[targets[0].class];
                if part.runs.is_empty() && !part.first {
                    continue;
                }
                let (tiles, rest) = targets.as_chunks_mut::<MR>();
                for tile in tiles {
                    self.tile::<L, W, NV, MR, FULL>(part, tile);
                }
                with_rows!(rest.len(), |ROWS| {
                    if let Some(tile) = rest.first_chunk_mut::<ROWS>() {
                        self.tile::<L, W, NV, ROWS, FULL>(part, tile);
                    }
                });
            }
        }
    }

    #[inline(always)]
    fn tile<L: Lanes, const W: usize, const NV: usize, const MR: usize, const FULL: bool>(
        &self,
        part: &Part,
        targets: &mut [Target<'_>; MR],
    ) {
        let mut start = [[[0.0; W]; NV]; MR];
        if !part.first {
            for (sums, target) in start.iter_mut().zip(targets.iter()) {
                load::<W, NV, FULL>(sums, target.values);
            }
        }
        let bases: [usize; MR] = std::array::from_fn(|m| targets[m].base);
        let end = part.sum::<L, W, NV, MR>(start, self.input, bases, self.panel);
        for (sums, target) in end.iter().zip(targets.iter_mut()) {
            store::<W, NV, FULL>(sums, target.values);
        }
        if part.last {
            for target in targets {
                self.epilogue.apply::<L, W>(
                    target.values,
                    target.pixel,
                    self.channels,
                    self.first_channel,
                );
            }
        }
    }
}

/// Reads the columns that exist; all of them if `FULL`.
#[inline(always)]
fn load<const W: usize, const NV: usize, const FULL: bool>(
    sums: &mut [[f32; W]; NV],
    values: &[f32],
) {
    if FULL {
        let vectors = values.as_chunks::<W>().0;
        if let Some(all) = vectors.first_chunk::<NV>() {
            *sums = *all;
        }
    } else {
        sums.as_flattened_mut()[..values.len()].copy_from_slice(values);
    }
}

/// Writes the columns that exist; all of them if `FULL`. That is a constant because otherwise each
/// copy of so few values is a function call.
#[inline(always)]
fn store<const W: usize, const NV: usize, const FULL: bool>(
    sums: &[[f32; W]; NV],
    values: &mut [f32],
) {
    if FULL {
        let vectors = values.as_chunks_mut::<W>().0;
        if let Some(all) = vectors.first_chunk_mut::<NV>() {
            *all = *sums;
        }
    } else {
        let len = values.len();
        values.copy_from_slice(&sums.as_flattened()[..len]);
    }
}
