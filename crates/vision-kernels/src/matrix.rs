//! Products of matrices whose right factor is packed in panels of [`panel_width`] columns.

use crate::isa::{Isa, Lanes};
use crate::microkernel::{
    Tile, TileKernel, add_outer, add_rows, dispatch_rows, dispatch_tiled, panel_rows, panel_width,
    tile_rows, with_rows,
};

/// Rows of a matrix within a larger array.
#[derive(Clone, Copy)]
pub(crate) struct Rows<'a> {
    pub(crate) values: &'a [f32],
    /// The distance between rows.
    pub(crate) stride: usize,
    /// Values of a row.
    pub(crate) len: usize,
    pub(crate) count: usize,
}

impl<'a> Rows<'a> {
    /// One row.
    #[inline(always)]
    pub(crate) fn row(&self, at: usize) -> &'a [f32] {
        &self.values[at * self.stride..][..self.len]
    }

    /// Some of the rows.
    pub(crate) fn part(&self, first: usize, count: usize) -> Self {
        Self {
            values: &self.values[first * self.stride..],
            count,
            ..*self
        }
    }

    /// The columns in panels, `[panels][rows][panel]`, with zeros for those that do not exist.
    pub(crate) fn pack(&self, panel: usize, packed: &mut [f32]) {
        match panel {
            16 => self.pack_by::<16>(packed),
            _ => self.pack_by::<64>(packed),
        }
    }

    /// The panel is a constant, so that a copy is not a call.
    fn pack_by<const PANEL: usize>(&self, packed: &mut [f32]) {
        let panels = packed.as_chunks_mut::<PANEL>().0;
        for (at, packed) in panels.chunks_exact_mut(self.count).enumerate() {
            let columns = at * PANEL..self.len.min((at + 1) * PANEL);
            for (row, packed) in packed.iter_mut().enumerate() {
                let values = &self.row(row)[columns.clone()];
                match values.first_chunk() {
                    Some(values) => *packed = *values,
                    None => {
                        let (there, missing) = packed.split_at_mut(values.len());
                        there.copy_from_slice(values);
                        missing.fill(0.0);
                    }
                }
            }
        }
    }

    /// The rows as columns, in panels: `[panels][columns][panel]`, with zeros for those that do not exist.
    pub(crate) fn pack_transposed(&self, panel: usize, packed: &mut [f32]) {
        match panel {
            16 => self.pack_transposed_by::<16>(packed),
            _ => self.pack_transposed_by::<64>(packed),
        }
    }

    fn pack_transposed_by<const PANEL: usize>(&self, packed: &mut [f32]) {
        /// Rows and columns that are turned together: in registers, and a part of a cache line each.
        const SIDE: usize = 8;
        let panels = packed.as_chunks_mut::<PANEL>().0;
        for (at, packed) in panels.chunks_exact_mut(self.len).enumerate() {
            for first in (0..PANEL).step_by(SIDE) {
                let row = |i: usize| {
                    let row = at * PANEL + first + i;
                    if row < self.count { self.row(row) } else { &[] }
                };
                let rows: [&[f32]; SIDE] = std::array::from_fn(row);
                for (block, packed) in packed.chunks_mut(SIDE).enumerate() {
                    let square = rows.map(|row| {
                        let mut values = [0.0; SIDE];
                        let there = row.get(block * SIDE..).unwrap_or_default();
                        match there.first_chunk() {
                            Some(there) => values = *there,
                            None => values[..there.len()].copy_from_slice(there),
                        }
                        values
                    });
                    for (column, packed) in packed.iter_mut().enumerate() {
                        for (row, values) in square.iter().enumerate() {
                            packed[first + row] = values[column];
                        }
                    }
                }
            }
        }
    }
}

/// Writes rows from panels, `[panels][rows][panel]`: the inverse of [`Rows::pack`].
pub(crate) fn unpack(packed: &[f32], panel: usize, rows: &mut [&mut [f32]]) {
    match panel {
        16 => unpack_by::<16>(packed, rows),
        _ => unpack_by::<64>(packed, rows),
    }
}

fn unpack_by<const PANEL: usize>(packed: &[f32], rows: &mut [&mut [f32]]) {
    let panels = packed.as_chunks::<PANEL>().0;
    for (at, packed) in panels.chunks_exact(rows.len()).enumerate() {
        for (row, packed) in rows.iter_mut().zip(packed) {
            let row = &mut row[at * PANEL..];
            match row.first_chunk_mut() {
                Some(row) => *row = *packed,
                None => row.copy_from_slice(&packed[..row.len()]),
            }
        }
    }
}

/// Values of a packed matrix.
pub(crate) fn packed_len(rows: usize, columns: usize, panel: usize) -> usize {
    rows * columns.next_multiple_of(panel)
}

/// `out = rows * packed`: a row of `out` has `stride` values, at least the columns of all panels.
pub(crate) fn multiply(isa: Isa, rows: Rows<'_>, packed: &[f32], out: &mut [f32], stride: usize) {
    let (panel, height) = (panel_width(isa), tile_rows(isa));
    let whole = rows.count / height * height;
    for (at, weights) in packed.chunks_exact(rows.len * panel).enumerate() {
        let (tiles, rest) = out.split_at_mut(whole * stride);
        let product = |first, count, out| Product {
            rows: rows.part(first, count),
            weights,
            out,
            stride,
            column: at * panel,
        };
        if whole > 0 {
            dispatch_tiled(isa, product(0, whole, tiles));
        }
        if whole < rows.count {
            let count = rows.count - whole;
            dispatch_rows(isa, count, product(whole, count, rest));
        }
    }
}

/// One panel, with as many rows as fill tiles.
struct Product<'a> {
    rows: Rows<'a>,
    weights: &'a [f32],
    out: &'a mut [f32],
    stride: usize,
    column: usize,
}

impl TileKernel for Product<'_> {
    #[inline(always)]
    fn run<L: Lanes, const W: usize, const NV: usize, const MR: usize>(self) {
        let Self {
            rows,
            weights,
            out,
            stride,
            column,
        } = self;
        let panel = panel_rows::<W, NV>(weights);
        for first in (0..rows.count / MR * MR).step_by(MR) {
            let mut tile: Tile<W, NV, MR> = [[[0.0; W]; NV]; MR];
            let inputs: [&[f32]; MR] = std::array::from_fn(|m| rows.row(first + m));
            add_rows::<L, W, NV, MR>(&mut tile, inputs, panel);
            for (m, sums) in tile.iter().enumerate() {
                let out = &mut out[(first + m) * stride + column..][..NV * W];
                out.copy_from_slice(sums.as_flattened());
            }
        }
    }
}

/// `sums += xᵀ * packed`: `x` has rows of `stride` values, of which the first `columns` are used; `packed` is
/// `[panels][rows of x][panel]`, and `sums` are `[panels][columns][panel]`.
pub(crate) fn add_transposed(
    isa: Isa,
    (x, stride): (&[f32], usize),
    columns: usize,
    packed: &[f32],
    sums: &mut [f32],
) {
    let panel = panel_width(isa);
    let rows = x.len() / stride;
    let panels = packed.chunks_exact(rows * panel);
    for (gradients, sums) in panels.zip(sums.chunks_exact_mut(columns * panel)) {
        dispatch_tiled(
            isa,
            Outer {
                x: (x, stride),
                gradients,
                sums,
            },
        );
    }
}

struct Outer<'a> {
    x: (&'a [f32], usize),
    gradients: &'a [f32],
    sums: &'a mut [f32],
}

impl TileKernel for Outer<'_> {
    #[inline(always)]
    fn run<L: Lanes, const W: usize, const NV: usize, const MR: usize>(self) {
        let gradients = panel_rows::<W, NV>(self.gradients);
        let sums = self.sums.as_chunks_mut::<W>().0.as_chunks_mut::<NV>().0;
        let (tiles, rest) = sums.as_chunks_mut::<MR>();
        let mut first = 0;
        for tile in tiles {
            let mut sums = *tile;
            add_outer::<L, W, NV, MR>(&mut sums, self.x, first, gradients);
            *tile = sums;
            first += MR;
        }
        with_rows!(rest.len(), |ROWS| {
            if let Some(tile) = rest.first_chunk_mut::<ROWS>() {
                let mut sums = *tile;
                add_outer::<L, W, NV, ROWS>(&mut sums, self.x, first, gradients);
                *tile = sums;
            }
        });
    }
}
