//! Sums of products of gathered rows of the input with packed weights.

use super::classes::{Pixel, Run};
use crate::isa::{Isa, Lanes, prefetch};
use crate::microkernel::{
    Tile, TileKernel, add_rows, dispatch_rows, dispatch_tiled, panel_rows, panel_width, tile_rows,
};

/// Rows of weights that are used for all pixels of a task before the next rows: with 64 columns 295
/// KB, which stay in L2.
const ROWS_PER_BLOCK: usize = 1152;

/// The runs of each class, cut at the borders of blocks of weight rows.
pub(super) struct KBlocks {
    /// By block, then by class.
    pub(super) blocks: Vec<Vec<Part>>,
    /// Rows in a block, except the last.
    pub(super) rows: usize,
    all_rows: usize,
}

/// What a class reads in one block of weight rows.
#[derive(Default)]
pub(super) struct Part {
    runs: Vec<Run>,
    /// Whether this is the first block: there are no earlier sums to add to.
    first: bool,
}

impl KBlocks {
    /// For `rows` rows of packed weights.
    pub(super) fn new(classes: &[Vec<Run>], rows: usize) -> Self {
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
            blocks[first][class].first = true;
        }
        Self {
            blocks,
            rows: size,
            all_rows: rows,
        }
    }

    /// Rows in all blocks.
    pub(super) fn all_rows(&self) -> usize {
        self.all_rows
    }
}

/// Adds the products of one part to some pixels of its class.
pub(super) struct Sums<'a, 'b> {
    pub(super) part: &'a Part,
    pub(super) input: &'a [f32],
    pub(super) panel: &'a [f32],
    /// The first of the panel's columns in `values`.
    pub(super) column: usize,
    /// Classes and pixels, and those that follow.
    pub(super) pixels: &'a [(usize, Pixel)],
    /// The outputs of the pixels.
    pub(super) values: &'a mut [&'b mut [f32]],
    /// Whether to fetch what each next tile reads.
    pub(super) fetch_inputs: bool,
    /// Weights to fetch meanwhile.
    pub(super) fetch: &'a [f32],
}

impl Sums<'_, '_> {
    /// Adds.
    pub(super) fn add(self, isa: Isa) {
        let wide = self
            .values
            .first()
            .map_or(0, |values| values.len() - self.column);
        if self.part.runs.is_empty() && !self.part.first {
            return;
        }
        if wide >= panel_width(isa) {
            self.tiles::<true>(isa);
        } else {
            self.tiles::<false>(isa);
        }
    }

    fn tiles<const FULL: bool>(self, isa: Isa) {
        let count = self.values.len();
        let whole = count - count % tile_rows(isa);
        let (tiles, rest) = self.values.split_at_mut(whole);
        dispatch_tiled(
            isa,
            Tiles::<FULL>(Sums {
                values: tiles,
                ..self
            }),
        );
        let pixels = &self.pixels[whole..];
        dispatch_rows(
            isa,
            count - whole,
            Tiles::<FULL>(Sums {
                values: rest,
                pixels,
                fetch: &[],
                ..self
            }),
        );
    }
}

/// Whole tiles; with all columns of a panel if `FULL`.
struct Tiles<'a, 'b, const FULL: bool>(Sums<'a, 'b>);

impl<const FULL: bool> TileKernel for Tiles<'_, '_, FULL> {
    #[inline(always)]
    fn run<L: Lanes, const W: usize, const NV: usize, const MR: usize>(self) {
        let Sums {
            part,
            input,
            panel,
            column,
            mut pixels,
            values,
            fetch_inputs,
            fetch,
        } = self.0;
        let (tiles, _) = values.as_chunks_mut::<MR>();
        let mut fetch = fetch.chunks(fetch.len().div_ceil(tiles.len().max(1)).max(1));
        for values in tiles {
            let Some((now, next)) = pixels.split_first_chunk::<MR>() else {
                return;
            };
            if fetch_inputs {
                next.iter()
                    .take(MR)
                    .for_each(|(_, pixel)| part.prefetch(input, pixel));
            }
            prefetch(fetch.next().unwrap_or_default());
            let mut start = [[[0.0; W]; NV]; MR];
            if !part.first {
                for (sums, values) in start.iter_mut().zip(values.iter()) {
                    load::<W, NV, FULL>(sums, &values[column..]);
                }
            }
            // A copy, so that the tile stays in registers: see `add_rows`.
            let mut tile: Tile<W, NV, MR> = start;
            for run in &part.runs {
                let panel = &panel[run.row * NV * W..(run.row + run.len) * NV * W];
                let row = |m: usize| &input[now[m].1.base + run.offset..][..run.len];
                add_rows::<L, W, NV, MR>(&mut tile, std::array::from_fn(row), panel_rows(panel));
            }
            for (sums, values) in tile.iter().zip(values.iter_mut()) {
                store::<W, NV, FULL>(sums, &mut values[column..]);
            }
            pixels = next;
        }
    }
}

impl Part {
    /// Fetches what a pixel reads.
    #[inline(always)]
    fn prefetch(&self, input: &[f32], pixel: &Pixel) {
        for run in &self.runs {
            let start = pixel.base + run.offset;
            prefetch(input.get(start..start + run.len).unwrap_or_default());
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
