//! Gradient with respect to the weights, by the transposed transforms: for each point of the
//! transformed weights, a sum of outer products over tiles.

use std::marker::PhantomData;
use std::ops::Range;

use rayon::prelude::*;

use super::InputTask;
use super::scheme::Scheme;
use super::tiles::{Grid, lanes, transform};
use crate::conv::backward_weight::add_parts;
use crate::conv::{ConvShape, pack};
use crate::isa::{Isa, Lanes};
use crate::microkernel::{
    TileKernel, add_outer, dispatch_tiled, panel_rows, panel_width, spread, with_rows,
};
use crate::scratch::Scratch;

/// Tiles that are transformed together.
const GROUP: usize = 32;
/// Groups that are transformed before they are multiplied, if the sums are too large for L2: each
/// read and write of a sum then covers 512 tiles.
const GROUPS_PER_STEP: usize = 16;
/// Number of partial sums, each over a part of the tiles, if they are small enough to stay in a
/// core's caches.
const PARTS: usize = 4;
/// Largest number of transformed weights that counts as small: 2.4 MB.
const FEW_SUMS: usize = 36 * 128 * 128;

/// Writes all of `gradient`, `[out_channels, in_channels, 3, 3]`.
pub(crate) fn backward_weight<F: Scheme<M, S>, const M: usize, const S: usize>(
    isa: Isa,
    shape: &ConvShape,
    input: &[f32],
    output_gradient: &[f32],
    gradient: &mut [f32],
) {
    if gradient.is_empty() {
        return;
    }
    let grid = Grid::forward(shape, M);
    let panel = panel_width(isa);
    let blocks = shape.out_channels.div_ceil(panel);
    let point = shape.in_channels * panel;
    let len = blocks * S * S * point;
    let groups = grid.tiles().div_ceil(GROUP);
    // The partition depends on the shape alone, so that sums do not depend on the number of
    // threads.
    let (parts, step) = if len <= FEW_SUMS {
        (PARTS.min(groups.div_ceil(2)).max(1), 1)
    } else {
        (1, GROUPS_PER_STEP)
    };
    let part_groups = groups.div_ceil(parts);
    let mut sums = Scratch::take(parts * len);
    sums.par_chunks_mut(len)
        .enumerate()
        .for_each(|(part, sums)| {
            sums.fill(0.0);
            let groups = part * part_groups..groups.min((part + 1) * part_groups);
            for start in groups.clone().step_by(step) {
                let groups: Vec<Group> = (start..groups.end.min(start + step))
                    .into_par_iter()
                    .map(|group| {
                        let tiles = group * GROUP..grid.tiles().min((group + 1) * GROUP);
                        Group::new::<F, M, S>(isa, shape, &grid, tiles, input, output_gradient)
                    })
                    .collect();
                sums.par_chunks_mut(point)
                    .with_min_len(4)
                    .enumerate()
                    .for_each(|(at, sums)| {
                        dispatch_tiled(
                            isa,
                            SumTask {
                                groups: &groups,
                                points: S * S,
                                at,
                                sums,
                            },
                        );
                    });
            }
        });
    add_parts(&mut sums, len);
    let mut packed = Scratch::take(blocks * 9 * point);
    packed
        .par_chunks_mut(9 * point)
        .zip(sums[..len].par_chunks(S * S * point))
        .for_each(|(packed, sums)| {
            dispatch_tiled(
                isa,
                FinalTask::<F, M, S> {
                    sums,
                    packed,
                    scheme: PhantomData,
                },
            );
        });
    pack::unpack(shape, panel, &[true; 9], &packed, gradient);
}

/// Some tiles of the input and of the gradient of the output, transformed.
struct Group {
    tiles: usize,
    /// `[S * S][tiles][stride]`; the first `in_channels` of each row are used.
    input: Scratch,
    stride: usize,
    /// `[blocks][S * S][tiles][panel]`.
    gradient: Scratch,
}

impl Group {
    fn new<F: Scheme<M, S>, const M: usize, const S: usize>(
        isa: Isa,
        shape: &ConvShape,
        grid: &Grid,
        tiles: Range<usize>,
        input: &[f32],
        output_gradient: &[f32],
    ) -> Self {
        let panel = panel_width(isa);
        let blocks = shape.out_channels.div_ceil(panel);
        let stride = spread(shape.in_channels);
        let mut group = Self {
            tiles: tiles.len(),
            input: Scratch::take(S * S * tiles.len() * stride),
            stride,
            gradient: Scratch::take(blocks * S * S * tiles.len() * panel),
        };
        dispatch_tiled(
            isa,
            InputTask::<F, M, S> {
                grid,
                tiles: tiles.clone(),
                input,
                channels: shape.in_channels,
                stride,
                transformed: &mut group.input,
                scheme: PhantomData,
            },
        );
        dispatch_tiled(
            isa,
            GradientTask::<F, M, S> {
                grid,
                tiles,
                output_gradient,
                channels: shape.out_channels,
                transformed: &mut group.gradient,
                scheme: PhantomData,
            },
        );
        group
    }
}

/// Computes `transformed` `[blocks][S * S][tiles][panel]` from the gradient of the output.
struct GradientTask<'a, F, const M: usize, const S: usize> {
    grid: &'a Grid,
    tiles: Range<usize>,
    output_gradient: &'a [f32],
    channels: usize,
    transformed: &'a mut [f32],
    scheme: PhantomData<F>,
}

impl<F: Scheme<M, S>, const M: usize, const S: usize> TileKernel for GradientTask<'_, F, M, S> {
    #[inline(always)]
    fn run<L: Lanes, const W: usize, const NV: usize, const MR: usize>(self) {
        let panel = NV * W;
        let tiles = self.tiles.len();
        let block_len = S * S * tiles * panel;
        let zeros = [0.0; W];
        let mut points = [[[0.0; W]; S]; S];
        for (block, transformed) in self.transformed.chunks_exact_mut(block_len).enumerate() {
            let transformed = transformed.as_chunks_mut::<W>().0;
            for (at, tile) in self.tiles.clone().enumerate() {
                let corner = self.grid.corner(tile);
                for v in 0..NV {
                    // Zeros beyond the last channel and beyond the border.
                    let first = (block * panel + v * W).min(self.channels);
                    let last = (first + W).min(self.channels);
                    let mut square = [[&zeros; M]; M];
                    let mut partial;
                    if last - first < W {
                        partial = [[zeros; M]; M];
                        self.grid.outputs(corner, |i, j, pixel| {
                            let start = pixel * self.channels;
                            let values = &self.output_gradient[start + first..start + last];
                            partial[i][j][..values.len()].copy_from_slice(values);
                        });
                        square = std::array::from_fn(|i| std::array::from_fn(|j| &partial[i][j]));
                    } else {
                        self.grid.outputs(corner, |i, j, pixel| {
                            let start = pixel * self.channels + first;
                            square[i][j] = lanes(&self.output_gradient[start..]);
                        });
                    }
                    transform::<W, M, S>(&square, F::output_adjoint::<L>, &mut points);
                    for i in 0..S {
                        for j in 0..S {
                            transformed[((i * S + j) * tiles + at) * NV + v] = points[i][j];
                        }
                    }
                }
            }
        }
    }
}

/// Adds the contribution of some groups to one point of one block of output channels.
struct SumTask<'a> {
    groups: &'a [Group],
    points: usize,
    /// `block * points + point`.
    at: usize,
    /// `[in_channels][panel]`.
    sums: &'a mut [f32],
}

impl TileKernel for SumTask<'_> {
    #[inline(always)]
    fn run<L: Lanes, const W: usize, const NV: usize, const MR: usize>(self) {
        let sums = self.sums.as_chunks_mut::<W>().0.as_chunks_mut::<NV>().0;
        let point = self.at % self.points;
        let (tiles, rest) = sums.as_chunks_mut::<MR>();
        let mut first = 0;
        for tile in tiles {
            self.groups.iter().for_each(|group| {
                add_group::<L, W, NV, MR>(group, point, self.at, first, tile);
            });
            first += MR;
        }
        with_rows!(rest.len(), |ROWS| {
            if let Some(tile) = rest.first_chunk_mut::<ROWS>() {
                self.groups.iter().for_each(|group| {
                    add_group::<L, W, NV, ROWS>(group, point, self.at, first, tile);
                });
            }
        });
    }
}

/// Adds one group's tiles to the sums of `MR` input channels from `first` on.
#[inline(always)]
fn add_group<L: Lanes, const W: usize, const NV: usize, const MR: usize>(
    group: &Group,
    point: usize,
    block_point: usize,
    first: usize,
    tile: &mut [[[f32; W]; NV]; MR],
) {
    let len = group.tiles * group.stride;
    let input = &group.input[point * len..][..len];
    let len = group.tiles * NV * W;
    let gradient = panel_rows(&group.gradient[block_point * len..][..len]);
    let mut sums = *tile;
    add_outer::<L, W, NV, MR>(&mut sums, (input, group.stride), first, gradient);
    *tile = sums;
}

/// Transforms one block of sums back to taps.
struct FinalTask<'a, F, const M: usize, const S: usize> {
    sums: &'a [f32],
    packed: &'a mut [f32],
    scheme: PhantomData<F>,
}

impl<F: Scheme<M, S>, const M: usize, const S: usize> TileKernel for FinalTask<'_, F, M, S> {
    #[inline(always)]
    fn run<L: Lanes, const W: usize, const NV: usize, const MR: usize>(self) {
        let sums = self.sums.as_chunks::<W>().0;
        let packed = self.packed.as_chunks_mut::<W>().0;
        // Vectors of one tap, and vectors of one point.
        let len = packed.len() / 9;
        let mut taps = [[[0.0; W]; 3]; 3];
        for at in 0..len {
            let points = |i: usize, j: usize| &sums[(i * S + j) * len + at];
            let points = std::array::from_fn(|i| std::array::from_fn(|j| points(i, j)));
            transform::<W, S, 3>(&points, F::weight_adjoint, &mut taps);
            for i in 0..3 {
                for j in 0..3 {
                    packed[(i * 3 + j) * len + at] = taps[i][j];
                }
            }
        }
    }
}
