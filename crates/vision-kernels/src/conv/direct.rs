//! Convolution as a matrix product whose rows are gathered: forward and with respect to the input.

use rayon::prelude::*;

use super::classes::{Plan, Run};
use super::epilogue::Epilogue;
use crate::isa::{Isa, Lanes};
use crate::microkernel::{
    TileKernel, add_rows, dispatch_tiled, panel_rows, panel_width, with_rows,
};

/// Output pixels whose tasks are made together. Bounds the lists of pixels.
const PIXELS_PER_LIST: usize = 4096;
/// Output pixels in a task where there are many.
const PIXELS_PER_TASK: usize = 384;
/// Output pixels in a task at least: four tiles.
const LEAST_PIXELS: usize = 24;
/// Tasks to aim at where there are few pixels.
const TASKS: usize = 32;
/// Rows of weights that are used for all pixels of a task before the next: 64 columns of them are 295 KB,
/// and stay in L2.
const ROWS_PER_BLOCK: usize = 1152;

/// A pixel of a task.
struct Target<'a> {
    class: usize,
    /// Of the input.
    base: usize,
    /// Of the output.
    pixel: usize,
    /// The channels of this task's block.
    values: &'a mut [f32],
}

/// Writes all of `output`, `[pixels, channels]`, from `input`, read as `plan` says, and from weights that
/// were packed in the plan's direction.
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
    // A matter of the shape alone, so that sums do not depend on the number of threads.
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
                    // By class, so that tiles are full nearly everywhere.
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

/// The rows of `[pixels, channels]` cut into blocks of `panel` channels: for each block its part of each
/// pixel.
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

/// The runs of each class cut at the borders of blocks of weight rows.
struct KBlocks {
    /// By block, then by class.
    blocks: Vec<Vec<Part>>,
}

/// What a class reads in one block of weight rows.
#[derive(Default)]
struct Part {
    runs: Vec<Run>,
    /// Nothing was summed before: there is nothing to add to.
    first: bool,
    /// Nothing follows: the epilogue is due.
    last: bool,
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
            // A class without taps, an output pixel that sees only padding, is written in block 0.
            let reads = |part: &Vec<Part>| !part[class].runs.is_empty();
            let first = blocks.iter().position(reads).unwrap_or(0);
            let last = blocks.iter().rposition(reads).unwrap_or(0);
            blocks[first][class].first = true;
            blocks[last][class].last = true;
        }
        Self { blocks }
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
        for classes in &self.k_blocks.blocks {
            for targets in targets.chunk_by_mut(|a, b| a.class == b.class) {
                let part = &classes[targets[0].class];
                if part.runs.is_empty() && !part.first {
                    continue;
                }
                let (tiles, rest) = targets.as_chunks_mut::<MR>();
                for tile in tiles {
                    self.tile::<L, W, NV, MR>(part, tile);
                }
                with_rows!(rest.len(), |ROWS| {
                    if let Some(tile) = rest.first_chunk_mut::<ROWS>() {
                        self.tile::<L, W, NV, ROWS>(part, tile);
                    }
                });
            }
        }
    }
}

impl Task<'_, '_> {
    #[inline(always)]
    fn tile<L: Lanes, const W: usize, const NV: usize, const MR: usize>(
        &self,
        part: &Part,
        targets: &mut [Target<'_>; MR],
    ) {
        let mut start = [[[0.0; W]; NV]; MR];
        if !part.first {
            for (sums, target) in start.iter_mut().zip(targets.iter()) {
                load(sums, target.values);
            }
        }
        // Copies, so that the tile itself stays in registers: see `add_rows`.
        let mut tile = start;
        let bases: [usize; MR] = std::array::from_fn(|m| targets[m].base);
        for run in &part.runs {
            let panel = &self.panel[run.row * NV * W..(run.row + run.len) * NV * W];
            let rows = bases.map(|base| &self.input[base + run.offset..][..run.len]);
            add_rows::<L, W, NV, MR>(&mut tile, rows, panel_rows(panel));
        }
        let end = tile;
        for (sums, target) in end.iter().zip(targets.iter_mut()) {
            store(sums, target.values);
        }
        if part.last {
            for target in targets {
                self.epilogue.apply::<L>(
                    target.values,
                    target.pixel,
                    self.channels,
                    self.first_channel,
                );
            }
        }
    }
}

/// Reads the columns that exist.
#[inline(always)]
pub(crate) fn load<const W: usize, const NV: usize>(sums: &mut [[f32; W]; NV], values: &[f32]) {
    let flat = sums.as_flattened_mut();
    if values.len() == flat.len() {
        flat.copy_from_slice(values);
    } else {
        flat[..values.len()].copy_from_slice(values);
    }
}

/// Writes the columns that exist.
#[inline(always)]
pub(crate) fn store<const W: usize, const NV: usize>(sums: &[[f32; W]; NV], values: &mut [f32]) {
    let flat = sums.as_flattened();
    if values.len() == flat.len() {
        values.copy_from_slice(flat);
    } else {
        let len = values.len();
        values.copy_from_slice(&flat[..len]);
    }
}
