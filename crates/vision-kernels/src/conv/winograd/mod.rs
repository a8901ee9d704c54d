//! Winograd's minimal filtering: 3x3 convolutions with stride 1 by products of transformed tiles.
//!
//! A tile of `M x M` outputs reads `S x S` inputs, `S = M + 2`. Input and weights are transformed,
//! multiplied value by value and summed over channels, which is `S * S` small matrix products. The
//! sums are transformed back. F(2x2) takes 16 multiplications for 4 outputs instead of 36; F(4x4)
//! takes 36 for 16 instead of 144. (Lavin and Gray, "Fast Algorithms for Convolutional Neural
//! Networks", 2015.)
//!
//! The factors are sums and differences of a tile's inputs, so a NaN or an infinity reaches all
//! outputs of its tile.

// Loops over a tile index several arrays at once, with constant indices.
#![allow(clippy::needless_range_loop)]

pub(crate) mod backward_weight;
mod scheme;
mod tiles;
mod weights;

use std::marker::PhantomData;
use std::ops::{Range, RangeInclusive};

use rayon::prelude::*;
pub(crate) use scheme::{F2, F4, Scheme};
use tiles::{Grid, gather, store, transform};
pub(crate) use weights::transform_weights;

use super::ConvShape;
use super::direct::split_channels;
use super::epilogue::Epilogue;
use super::pack::Direction;
use crate::isa::{Isa, Lanes, prefetch};
use crate::microkernel::{
    TileKernel, add_rows, dispatch_rows, dispatch_tiled, panel_rows, panel_width, tile_rows,
};
use crate::scratch::Scratch;

/// Values of transformed input in a task: half of L2.
const TASK_VALUES: usize = 128 * 1024;
/// Number of tiles in a task. The lower bound limits how often weights are read from L3.
const TASK_TILES: RangeInclusive<usize> = 24..=49;
/// Desired number of tasks if there are few tiles, with at least the lower bound of tiles in each.
const TASKS: usize = 16;
const LEAST_TILES: usize = 12;

/// Writes all of `output`, `[pixels, channels]`, from `input` and transformed weights.
pub(crate) fn convolve<F: Scheme<M, S>, const M: usize, const S: usize>(
    isa: Isa,
    (shape, direction): (&ConvShape, Direction),
    input: &[f32],
    weights: &[f32],
    epilogue: &Epilogue<'_>,
    output: &mut [f32],
) {
    if output.is_empty() {
        return;
    }
    let (grid, inputs, outputs) = match direction {
        Direction::Forward => (
            Grid::forward(shape, M),
            shape.in_channels,
            shape.out_channels,
        ),
        Direction::Backward => (
            Grid::backward(shape, M),
            shape.out_channels,
            shape.in_channels,
        ),
    };
    let panel = panel_width(isa);
    // The partition depends on the shape alone, so that results do not depend on the number of
    // threads.
    let tiles = (TASK_VALUES / (S * S * inputs.max(1)))
        .clamp(*TASK_TILES.start(), *TASK_TILES.end())
        .min((grid.tiles() * outputs.div_ceil(panel) / TASKS).max(LEAST_TILES));
    let task_rows = (tiles / grid.columns()).max(1);
    let weight_block = S * S * inputs * panel;
    cut(output, &grid, task_rows, outputs)
        .into_par_iter()
        .for_each(|(tile_rows, output)| {
            let tiles = tile_rows.start * grid.columns()..tile_rows.end * grid.columns();
            let mut transformed = Scratch::take(S * S * tiles.len() * inputs);
            dispatch_tiled(
                isa,
                InputTask::<F, M, S> {
                    grid: &grid,
                    tiles: tiles.clone(),
                    input,
                    channels: inputs,
                    stride: inputs,
                    transformed: &mut transformed,
                    scheme: PhantomData,
                },
            );
            let first_pixel = grid.first_line(tile_rows.start) * grid.output.1;
            let make = || Scratch::take(S * S * tiles.len() * panel);
            split_channels(output, outputs, panel)
                .into_par_iter()
                .enumerate()
                .for_each_init(make, |products, (block, values)| {
                    for (values, pixel) in values.iter().zip(first_pixel..) {
                        prefetch(values);
                        epilogue.prefetch(values.len(), pixel, outputs, block * panel);
                    }
                    let weights = &weights[block * weight_block..][..weight_block];
                    let [rows, weights_of_point] = [tiles.len(), panel].map(|len| len * inputs);
                    for (point, products) in
                        products.chunks_exact_mut(tiles.len() * panel).enumerate()
                    {
                        let rows = &transformed[point * rows..][..rows];
                        let weights = &weights[point * weights_of_point..][..weights_of_point];
                        multiply(isa, (rows, inputs), weights, products);
                    }
                    dispatch_tiled(
                        isa,
                        OutputTask::<F, M, S> {
                            grid: &grid,
                            tiles: tiles.clone(),
                            products,
                            values,
                            first_pixel,
                            epilogue,
                            channels: outputs,
                            first_channel: block * panel,
                            scheme: PhantomData,
                        },
                    );
                });
        });
}

/// Splits the output into pieces of `task_rows` rows of tiles.
fn cut<'a>(
    mut output: &'a mut [f32],
    grid: &Grid,
    task_rows: usize,
    channels: usize,
) -> Vec<(Range<usize>, &'a mut [f32])> {
    let mut tasks = Vec::with_capacity(grid.all_rows().div_ceil(task_rows));
    for start in (0..grid.all_rows()).step_by(task_rows) {
        let end = grid.all_rows().min(start + task_rows);
        let lines = grid.first_line(end) - grid.first_line(start);
        let (task, rest) = output.split_at_mut(lines * grid.output.1 * channels);
        tasks.push((start..end, task));
        output = rest;
    }
    tasks
}

/// Computes `transformed` `[S * S][tiles][stride]` from the input. Values beyond the channels are
/// not written.
struct InputTask<'a, F, const M: usize, const S: usize> {
    grid: &'a Grid,
    tiles: Range<usize>,
    input: &'a [f32],
    channels: usize,
    stride: usize,
    transformed: &'a mut [f32],
    scheme: PhantomData<F>,
}

impl<F: Scheme<M, S>, const M: usize, const S: usize> TileKernel for InputTask<'_, F, M, S> {
    #[inline(always)]
    fn run<L: Lanes, const W: usize, const NV: usize, const MR: usize>(self) {
        let (grid, channels) = (self.grid, self.channels);
        let point = self.tiles.len() * self.stride;
        let longest = grid.strip_width(grid.columns().min(self.tiles.len()));
        let mut strip = Scratch::take(S * longest * channels);
        let mut points = [[[0.0; W]; S]; S];
        let mut rest = [[[0.0; W]; S]; S];
        let mut at = 0;
        for row in grid.by_row(self.tiles.clone()) {
            let width = grid.strip_width(row.len());
            let strip = &mut strip[..S * width * channels];
            grid.strip(row.clone(), (self.input, channels), strip);
            for column in (0..row.len()).map(|tile| tile * M) {
                for first in (0..channels).step_by(W) {
                    let square = gather((strip, width), column, channels, first, &mut rest);
                    transform(&square, F::input::<L>, &mut points);
                    let lanes = W.min(channels - first);
                    for i in 0..S {
                        for j in 0..S {
                            let start = (i * S + j) * point + at * self.stride + first;
                            store(&points[i][j], &mut self.transformed[start..start + lanes]);
                        }
                    }
                }
                at += 1;
            }
        }
    }
}

/// One block of output channels of some tiles, from their products.
struct OutputTask<'a, 'b, F, const M: usize, const S: usize> {
    grid: &'a Grid,
    tiles: Range<usize>,
    /// `[S * S][tiles][panel]`.
    products: &'a [f32],
    /// This block's channels of each pixel.
    values: Vec<&'b mut [f32]>,
    first_pixel: usize,
    epilogue: &'a Epilogue<'a>,
    channels: usize,
    first_channel: usize,
    scheme: PhantomData<F>,
}

impl<F: Scheme<M, S>, const M: usize, const S: usize> TileKernel for OutputTask<'_, '_, F, M, S> {
    #[inline(always)]
    fn run<L: Lanes, const W: usize, const NV: usize, const MR: usize>(mut self) {
        let tiles = self.tiles.len();
        let products = panel_rows::<W, NV>(self.products);
        let mut outputs = [[[0.0; W]; M]; M];
        for (at, tile) in self.tiles.clone().enumerate() {
            let corner = self.grid.corner(tile);
            for v in 0..NV {
                let sums = |i: usize, j: usize| &products[(i * S + j) * tiles + at][v];
                let sums = std::array::from_fn(|i| std::array::from_fn(|j| sums(i, j)));
                transform::<W, S, M>(&sums, F::output::<L>, &mut outputs);
                self.grid.outputs(corner, |i, j, pixel| {
                    let values = &mut *self.values[pixel - self.first_pixel];
                    if let Some(values) = values.get_mut(v * W..) {
                        let lanes = W.min(values.len());
                        store(&outputs[i][j], &mut values[..lanes]);
                    }
                });
            }
            self.grid.outputs(corner, |_, _, pixel| {
                self.epilogue.apply::<L, W>(
                    self.values[pixel - self.first_pixel],
                    pixel,
                    self.channels,
                    self.first_channel,
                );
            });
        }
    }
}

/// `products = rows * weights`, with `len` values per row, for one panel of weights.
fn multiply(isa: Isa, (rows, len): (&[f32], usize), weights: &[f32], products: &mut [f32]) {
    let (panel, height) = (panel_width(isa), tile_rows(isa));
    let count = products.len() / panel;
    let whole = count / height * height;
    let (tiles, rest) = products.split_at_mut(whole * panel);
    let product = |first, products| Product {
        rows: &rows[first * len..],
        len,
        weights,
        products,
    };
    dispatch_tiled(isa, product(0, tiles));
    dispatch_rows(isa, count - whole, product(whole, rest));
}

/// A product whose number of rows fills tiles.
struct Product<'a> {
    rows: &'a [f32],
    len: usize,
    weights: &'a [f32],
    products: &'a mut [f32],
}

impl TileKernel for Product<'_> {
    #[inline(always)]
    fn run<L: Lanes, const W: usize, const NV: usize, const MR: usize>(self) {
        let (products, _) = self.products.as_chunks_mut::<W>();
        let (products, _) = products.as_chunks_mut::<NV>();
        let (products, _) = products.as_chunks_mut::<MR>();
        for (at, tile) in products.iter_mut().enumerate() {
            let row = |m: usize| &self.rows[(at * MR + m) * self.len..][..self.len];
            let rows: [&[f32]; MR] = std::array::from_fn(row);
            let mut sums = [[[0.0; W]; NV]; MR];
            add_rows::<L, W, NV, MR>(&mut sums, rows, panel_rows(self.weights));
            *tile = sums;
        }
    }
}
