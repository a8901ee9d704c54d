//! Where the tiles of a picture lie, and how they are read, transformed and written.

use std::ops::Range;

use crate::conv::ConvShape;

/// A square of values of `W` channels.
pub(super) type Square<const W: usize, const N: usize> = [[[f32; W]; N]; N];

/// The output cut into tiles of `tile x tile` pixels, those at the right and lower border partial.
#[derive(Clone, Copy, Debug)]
pub(super) struct Grid {
    /// Rows and columns of what is read.
    pub(super) input: (usize, usize),
    /// Rows and columns of what is written.
    pub(super) output: (usize, usize),
    /// Zeros around what is read.
    padding: usize,
    /// Output pixels along the side of a tile.
    tile: usize,
    batch: usize,
}

/// The first pixel of a tile.
#[derive(Clone, Copy, Debug)]
pub(super) struct Corner {
    image: usize,
    row: usize,
    column: usize,
}

impl Grid {
    /// Reads the input, writes the output.
    pub(super) fn forward(shape: &ConvShape, tile: usize) -> Self {
        Self {
            input: (shape.height, shape.width),
            output: (shape.out_height(), shape.out_width()),
            padding: shape.padding,
            tile,
            batch: shape.batch,
        }
    }

    /// Reads the gradient of the output, writes that of the input: convolution with flipped weights and with
    /// the padding that a kernel of 3 leaves to that side.
    pub(super) fn backward(shape: &ConvShape, tile: usize) -> Self {
        Self {
            input: (shape.out_height(), shape.out_width()),
            output: (shape.height, shape.width),
            padding: 2 - shape.padding,
            tile,
            batch: shape.batch,
        }
    }

    /// Tiles beside each other.
    pub(super) fn columns(&self) -> usize {
        self.output.1.div_ceil(self.tile)
    }

    /// Rows of tiles in one picture.
    fn rows(&self) -> usize {
        self.output.0.div_ceil(self.tile)
    }

    /// Rows of tiles in all pictures.
    pub(super) fn all_rows(&self) -> usize {
        self.batch * self.rows()
    }

    /// Tiles in all pictures.
    pub(super) fn tiles(&self) -> usize {
        self.all_rows() * self.columns()
    }

    /// The first output row, counted through all pictures, of a row of tiles.
    pub(super) fn first_line(&self, tile_row: usize) -> usize {
        tile_row / self.rows() * self.output.0 + tile_row % self.rows() * self.tile
    }

    pub(super) fn corner(&self, tile: usize) -> Corner {
        let (row, column) = (tile / self.columns(), tile % self.columns());
        Corner {
            image: row / self.rows(),
            row: row % self.rows() * self.tile,
            column: column * self.tile,
        }
    }

    /// Calls `visit` with row and column within the tile and the index of the output pixel, for all that
    /// exist.
    #[inline(always)]
    pub(super) fn outputs(&self, corner: Corner, mut visit: impl FnMut(usize, usize, usize)) {
        let height = self.tile.min(self.output.0 - corner.row);
        let width = self.tile.min(self.output.1 - corner.column);
        for i in 0..height {
            let line = corner.image * self.output.0 + corner.row + i;
            for j in 0..width {
                visit(i, j, line * self.output.1 + corner.column + j);
            }
        }
    }

    /// The rows and columns within a tile's `side x side` inputs that are not padding, and the index of
    /// the input pixel at the first of them.
    pub(super) fn inputs(
        &self,
        corner: Corner,
        side: usize,
    ) -> (Range<usize>, Range<usize>, usize) {
        let inside = |first: usize, len: usize| {
            let start = self.padding.saturating_sub(first).min(side);
            let end = (len + self.padding)
                .saturating_sub(first)
                .clamp(start, side);
            start..end
        };
        let rows = inside(corner.row, self.input.0);
        let columns = inside(corner.column, self.input.1);
        // Meaningless, and not used, where one of them is empty.
        let row = (corner.row + rows.start).saturating_sub(self.padding);
        let column = (corner.column + columns.start).saturating_sub(self.padding);
        let pixel = (corner.image * self.input.0 + row) * self.input.1 + column;
        (rows, columns, pixel)
    }
}

/// The `W` channels from `first` on, or as many as there are, of the inputs of a tile; zeros for padding.
#[inline(always)]
pub(super) fn gather<const W: usize, const S: usize>(
    grid: &Grid,
    corner: Corner,
    x: &[f32],
    channels: usize,
    first: usize,
) -> Square<W, S> {
    let (rows, columns, pixel) = grid.inputs(corner, S);
    let mut square = [[[0.0; W]; S]; S];
    let lanes = W.min(channels - first);
    for (row, i) in rows.enumerate() {
        for (column, j) in columns.clone().enumerate() {
            let start = (pixel + row * grid.input.1 + column) * channels + first;
            square[i][j] = load(&x[start..start + lanes]);
        }
    }
    square
}

/// Up to `W` values, filled up with zeros.
#[inline(always)]
pub(super) fn load<const W: usize>(values: &[f32]) -> [f32; W] {
    if let Some(all) = values.first_chunk::<W>() {
        return *all;
    }
    let mut lanes = [0.0; W];
    lanes[..values.len()].copy_from_slice(values);
    lanes
}

/// As many of `lanes` as `values` has room for.
#[inline(always)]
pub(super) fn store<const W: usize>(lanes: &[f32; W], values: &mut [f32]) {
    if let Some(all) = values.first_chunk_mut::<W>() {
        *all = *lanes;
    } else {
        let len = values.len();
        values.copy_from_slice(&lanes[..len]);
    }
}

/// Applies a transform to the columns and then to the rows of a square.
#[inline(always)]
pub(super) fn transform<const W: usize, const I: usize, const O: usize>(
    square: &Square<W, I>,
    along: impl Fn([f32; I]) -> [f32; O],
) -> Square<W, O> {
    let mut half = [[[0.0; W]; I]; O];
    for j in 0..I {
        for w in 0..W {
            let column = along(std::array::from_fn(|i| square[i][j][w]));
            for i in 0..O {
                half[i][j][w] = column[i];
            }
        }
    }
    let mut result = [[[0.0; W]; O]; O];
    for i in 0..O {
        for w in 0..W {
            let row = along(std::array::from_fn(|j| half[i][j][w]));
            for j in 0..O {
                result[i][j][w] = row[j];
            }
        }
    }
    result
}
