//! Positions of the tiles of an image, and how tiles are read, transformed and written.

use std::ops::Range;

use crate::conv::ConvShape;

/// A square of values of `W` channels, to be written.
pub(super) type Square<const W: usize, const N: usize> = [[[f32; W]; N]; N];
/// A square of values of `W` channels, read in place.
pub(super) type View<'a, const W: usize, const N: usize> = [[&'a [f32; W]; N]; N];

/// The output cut into tiles of `tile x tile` pixels. Tiles at the right and lower border can be
/// partial.
#[derive(Clone, Copy, Debug)]
pub(super) struct Grid {
    /// Rows and columns of the array that is read.
    pub(super) input: (usize, usize),
    /// Rows and columns of the array that is written.
    pub(super) output: (usize, usize),
    /// Zeros around the array that is read.
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
    /// The grid that reads the input and writes the output.
    pub(super) fn forward(shape: &ConvShape, tile: usize) -> Self {
        Self {
            input: (shape.height, shape.width),
            output: (shape.out_height(), shape.out_width()),
            padding: shape.padding.rows[0],
            tile,
            batch: shape.batch,
        }
    }

    /// The grid that reads the gradient of the output and writes that of the input: a convolution
    /// with flipped weights, and with the padding that a kernel of 3 needs for it.
    pub(super) fn backward(shape: &ConvShape, tile: usize) -> Self {
        Self {
            input: (shape.out_height(), shape.out_width()),
            output: (shape.height, shape.width),
            padding: 2 - shape.padding.rows[0],
            tile,
            batch: shape.batch,
        }
    }

    /// Tiles in a row.
    pub(super) fn columns(&self) -> usize {
        self.output.1.div_ceil(self.tile)
    }

    /// Rows of tiles in one image.
    fn rows(&self) -> usize {
        self.output.0.div_ceil(self.tile)
    }

    /// Rows of tiles in all images.
    pub(super) fn all_rows(&self) -> usize {
        self.batch * self.rows()
    }

    /// Tiles in all images.
    pub(super) fn tiles(&self) -> usize {
        self.all_rows() * self.columns()
    }

    /// The first output row of a row of tiles, counted over all images.
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

    /// Splits a range of tiles by the rows of tiles.
    pub(super) fn by_row(&self, tiles: Range<usize>) -> impl Iterator<Item = Range<usize>> {
        let columns = self.columns();
        let mut start = tiles.start;
        std::iter::from_fn(move || {
            let end = tiles.end.min((start / columns + 1) * columns);
            let row = start..end;
            start = end;
            (!row.is_empty()).then_some(row)
        })
    }

    /// Calls `visit` with row and column within the tile and the index of the output pixel, for
    /// each pixel that exists.
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

    /// Columns of a [strip](Self::strip) of this many tiles, including padding.
    pub(super) fn strip_width(&self, tiles: usize) -> usize {
        tiles * self.tile + 2
    }

    /// Copies the inputs of some adjacent tiles, `[tile + 2][strip_width][channels]`, including
    /// padding.
    ///
    /// Memory is then read in long pieces, which the hardware prefetches. Gathering tile by tile
    /// takes a third longer.
    pub(super) fn strip(
        &self,
        tiles: Range<usize>,
        (x, channels): (&[f32], usize),
        strip: &mut [f32],
    ) {
        let corner = self.corner(tiles.start);
        let width = self.strip_width(tiles.len());
        let rows = self.inside(corner.row, self.tile + 2, self.input.0);
        let columns = self.inside(corner.column, width, self.input.1);
        // Meaningless, and unused, if one of them is empty.
        let row = (corner.row + rows.start).saturating_sub(self.padding);
        let column = (corner.column + columns.start).saturating_sub(self.padding);
        let mut pixel = (corner.image * self.input.0 + row) * self.input.1 + column;
        for (i, line) in strip
            .chunks_exact_mut((width * channels).max(1))
            .enumerate()
        {
            if !rows.contains(&i) || columns.is_empty() {
                line.fill(0.0);
                continue;
            }
            line[..columns.start * channels].fill(0.0);
            line[columns.start * channels..columns.end * channels]
                .copy_from_slice(&x[pixel * channels..][..columns.len() * channels]);
            line[columns.end * channels..].fill(0.0);
            pixel += self.input.1;
        }
    }

    /// Which of `side` values from `first` on (counted with padding) lie inside the `len` values.
    fn inside(&self, first: usize, side: usize, len: usize) -> Range<usize> {
        let start = self.padding.saturating_sub(first).min(side);
        let end = (len + self.padding)
            .saturating_sub(first)
            .clamp(start, side);
        start..end
    }
}

/// The `W` channels from `first` on of the `S x S` inputs of the tile that begins at a column of a
/// [strip](Grid::strip). If there are fewer channels, they are copied to `rest`.
#[inline(always)]
pub(super) fn gather<'a, const W: usize, const S: usize>(
    (strip, width): (&'a [f32], usize),
    column: usize,
    channels: usize,
    first: usize,
    rest: &'a mut Square<W, S>,
) -> View<'a, W, S> {
    let start = |i: usize, j: usize| (i * width + column + j) * channels + first;
    if first + W > channels {
        for i in 0..S {
            for j in 0..S {
                let values = &strip[start(i, j)..(start(i, j) + channels - first)];
                rest[i][j][..values.len()].copy_from_slice(values);
            }
        }
        return std::array::from_fn(|i| std::array::from_fn(|j| &rest[i][j]));
    }
    std::array::from_fn(|i| std::array::from_fn(|j| lanes(&strip[start(i, j)..])))
}

/// The first `W` values. The caller has checked that they are there: in the inner loops a panic costs more
/// than this default that is never taken.
#[inline(always)]
pub(super) fn lanes<const W: usize>(values: &[f32]) -> &[f32; W] {
    debug_assert!(values.len() >= W, "{} lanes of {W}", values.len());
    values.first_chunk().unwrap_or(&[0.0; W])
}

/// Copies as many of `lanes` as fit into `values`.
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
    square: &View<'_, W, I>,
    along: impl Fn([f32; I]) -> [f32; O],
    result: &mut Square<W, O>,
) {
    // One loop over the lanes, too long to be unrolled, which the compiler vectorizes. Several
    // short loops would become scalar code that is combined in odd ways and is far slower.
    for w in 0..W {
        let mut half = [[0.0; I]; O];
        for j in 0..I {
            let column = along(std::array::from_fn(|i| square[i][j][w]));
            for i in 0..O {
                half[i][j] = column[i];
            }
        }
        for i in 0..O {
            let row = along(half[i]);
            for j in 0..O {
                result[i][j][w] = row[j];
            }
        }
    }
}
