//! The inner loop of bilinear sampling: a weighted sum of four neighbors per pixel.
//!
//! Pixels are computed in groups of [`LANES`]: first their source positions, then the neighbors, then the
//! weighted sums. The first and the last step are loops over arrays without branches, which the compiler
//! vectorizes for each instruction set. Rounding does not depend on it, so the bits are the same on
//! every machine.

use pulp::Arch;

use crate::pipeline::sampling::grid::{Grid, Source, position};
use crate::transforms::padding::PaddingMode;

/// The number of pixels computed together.
const LANES: usize = 16;

/// A value type of source pixels.
pub(crate) trait Value: Copy + Default {
    /// The three values at each place, and the next three. Values beyond the end of `pixels` are zero:
    /// they are only read with a weight of zero.
    fn gather(pixels: &[Self], places: &[u64; LANES]) -> [[[f32; LANES]; 3]; 2];
}

impl Value for u8 {
    #[inline(always)]
    fn gather(pixels: &[Self], places: &[u64; LANES]) -> [[[f32; LANES]; 3]; 2] {
        let mut words = [[0_u32; LANES]; 2];
        for (i, &place) in places.iter().enumerate() {
            // Reads eight bytes at once, of which six are used.
            let rest = pixels.get(place as usize..).unwrap_or_default();
            let word = match rest.first_chunk() {
                Some(&bytes) => u64::from_le_bytes(bytes),
                None => {
                    let mut bytes = [0; 8];
                    for (byte, &value) in bytes.iter_mut().zip(rest) {
                        *byte = value;
                    }
                    u64::from_le_bytes(bytes)
                }
            };
            words[0][i] = word as u32;
            words[1][i] = (word >> 24) as u32;
        }
        let mut values = [[[0.0; LANES]; 3]; 2];
        for (values, words) in values.iter_mut().zip(&words) {
            for (c, values) in values.iter_mut().enumerate() {
                for i in 0..LANES {
                    values[i] = ((words[i] >> (8 * c)) & 0xFF) as i32 as f32;
                }
            }
        }
        values
    }
}

impl Value for f32 {
    #[inline(always)]
    fn gather(pixels: &[Self], places: &[u64; LANES]) -> [[[f32; LANES]; 3]; 2] {
        let mut values = [[[0.0; LANES]; 3]; 2];
        for (i, &place) in places.iter().enumerate() {
            let rest = pixels.get(place as usize..).unwrap_or_default();
            match rest.first_chunk::<6>() {
                Some(six) => {
                    for (n, &value) in six.iter().enumerate() {
                        values[n / 3][n % 3][i] = value;
                    }
                }
                None => {
                    for (n, &value) in rest.iter().enumerate() {
                        values[n / 3][n % 3][i] = value;
                    }
                }
            }
        }
        values
    }
}

/// One axis of a source.
#[derive(Clone, Copy)]
struct Axis {
    /// The index of the last pixel, without the rim.
    last: f64,
    /// The number of black pixels before the first and after the last.
    rim: f64,
    reflects: bool,
}

impl Axis {
    /// An axis of `n` pixels. With [`PaddingMode::Zeros`] the first and the last of them are the rim.
    fn new(n: usize, padding: PaddingMode) -> Self {
        let rim = if padding == PaddingMode::Zeros {
            1.0
        } else {
            0.0
        };
        Self {
            last: (n - 1) as f64 - 2.0 * rim,
            rim,
            reflects: padding == PaddingMode::Reflection,
        }
    }

    /// Maps a coordinate (-1 to 1, and beyond) to a position from 0 to the last pixel. NaN, which a map that
    /// reaches infinity may produce, becomes the first pixel.
    #[inline(always)]
    fn place(self, coordinate: f64) -> f64 {
        let at = (coordinate + 1.0) / 2.0 * self.last;
        let at = if self.reflects {
            // Within the image this subtracts nothing, and keeps the smaller of the two.
            let period = 2.0 * self.last;
            let at = at - period * (at / period).floor();
            at.min(period - at)
        } else {
            at
        };
        // In this order, since the maximum of a number and NaN is the number.
        at.max(-self.rim).min(self.last + self.rim) + self.rim
    }
}

/// Samples `image` on `grid` into planes of red, green and blue, in `[0, 1]`.
pub(crate) fn bilinear<T: Value>(image: Source<'_, T>, grid: &Grid<'_>) -> Vec<f32> {
    let mut planes = vec![0.0; 3 * grid.rows.len() * grid.cols.len()];
    let mut xs: Vec<f64> = grid.cols.iter().map(|&i| position(i, grid.width)).collect();
    // The last group is computed in full and then truncated.
    xs.resize(grid.cols.len().next_multiple_of(LANES), 0.0);
    Arch::new().dispatch(Sampling {
        image,
        grid,
        xs: &xs,
        planes: &mut planes,
    });
    planes
}

/// The computation, as a type, so that it is compiled for each instruction set.
struct Sampling<'a, T> {
    image: Source<'a, T>,
    grid: &'a Grid<'a>,
    /// The coordinates of the columns, padded to whole groups.
    xs: &'a [f64],
    planes: &'a mut [f32],
}

impl<T: Value> pulp::NullaryFnOnce for Sampling<'_, T> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self { image, grid, .. } = self;
        let across = Axis::new(image.width, grid.padding);
        let down = Axis::new(image.height, grid.padding);
        let line = (3 * image.width) as f64;
        let bottom = (image.height - 1) as f64;
        let [[ux, uy, u0], [vx, vy, v0], [wx, wy, w0]] = grid.map.0;
        let affine = [wx, wy, w0] == [0.0, 0.0, 1.0];

        let count = grid.cols.len();
        let (reds, rest) = self.planes.split_at_mut(grid.rows.len() * count);
        let (greens, blues) = rest.split_at_mut(grid.rows.len() * count);
        for (i, &row) in grid.rows.iter().enumerate() {
            let y = position(row, grid.height);
            let (u0, v0, w0) = (uy * y + u0, vy * y + v0, wy * y + w0);
            for (j, xs) in self.xs.as_chunks::<LANES>().0.iter().enumerate() {
                let (mut places, mut below) = ([0; LANES], [0; LANES]);
                let (mut east, mut south) = ([0.0; LANES], [0.0; LANES]);
                for i in 0..LANES {
                    let (mut u, mut v) = (ux * xs[i] + u0, vx * xs[i] + v0);
                    if !affine {
                        let w = wx * xs[i] + w0;
                        (u, v) = (u / w, v / w);
                    }
                    let (u, v) = (across.place(u), down.place(v));
                    let (col, row) = (u.floor(), v.floor());
                    (east[i], south[i]) = ((u - col) as f32, (v - row) as f32);
                    places[i] = whole(row * line + 3.0 * col);
                    below[i] = whole((row + 1.0).min(bottom) * line + 3.0 * col);
                }
                let [nw, ne] = T::gather(image.pixels, &places);
                let [sw, se] = T::gather(image.pixels, &below);
                let begin = i * count + j * LANES;
                let end = (i * count + count).min(begin + LANES);
                let out = [&mut *reds, &mut *greens, &mut *blues];
                for (channel, plane) in out.into_iter().enumerate() {
                    let (nw, ne) = (&nw[channel], &ne[channel]);
                    let (sw, se) = (&sw[channel], &se[channel]);
                    let mut made = [0.0; LANES];
                    for i in 0..LANES {
                        let north = nw[i] + (ne[i] - nw[i]) * east[i];
                        let under = sw[i] + (se[i] - sw[i]) * east[i];
                        made[i] = (north + (under - north) * south[i]) / 255.0;
                    }
                    let out = &mut plane[begin..end];
                    match out.as_mut_array() {
                        Some(out) => *out = made,
                        None => out.copy_from_slice(&made[..out.len()]),
                    }
                }
            }
        }
    }
}

/// Converts an integral, non-negative float to an integer through its bits, after adding a constant that
/// makes its lowest bit count ones. Unlike a cast, it needs no branch.
#[inline(always)]
fn whole(x: f64) -> u64 {
    (x + 4_503_599_627_370_496.0).to_bits() & ((1 << 52) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::sampling::projective::Map;

    #[test]
    fn every_coordinate_is_inside_even_if_it_is_no_number() {
        for coordinate in [f64::NAN, f64::INFINITY, -1e300, 1e300, -1.0, 1.0, 3.7] {
            let modes = [
                PaddingMode::Zeros,
                PaddingMode::Border,
                PaddingMode::Reflection,
            ];
            for (mode, n) in modes.into_iter().flat_map(|m| [1, 2, 7].map(|n| (m, n))) {
                let n = if mode == PaddingMode::Zeros { n + 2 } else { n };
                let place = Axis::new(n, mode).place(coordinate);
                let inside = (0.0..=(n - 1) as f64).contains(&place);
                assert!(inside, "{coordinate} of {n}, {mode:?}: {place}");
            }
        }
    }

    #[test]
    fn beyond_the_edge_comes_the_reflection_without_repeating_it() {
        // Three pixels at -1, 0, 1: 1.5 is as far after the last pixel as 0.5 is before it.
        let axis = Axis::new(3, PaddingMode::Reflection);
        assert_eq!(axis.place(1.5), axis.place(0.5));
        assert_eq!(axis.place(-1.5), axis.place(-0.5));
        assert_eq!(axis.place(4.5), axis.place(0.5));
    }

    /// One pixel by the formula, in double precision: the mean of the four pixels around a position,
    /// weighted by proximity, with `padding` beyond the edge.
    fn exact(image: Source<'_, u8>, (x, y): (f64, f64), c: usize, padding: PaddingMode) -> f64 {
        let place = |coordinate: f64, n: usize| (coordinate + 1.0) / 2.0 * (n - 1) as f64;
        let (x, y) = (place(x, image.width), place(y, image.height));
        let mut sum = 0.0;
        let pair = |at: f64| {
            let (first, part) = (at.floor(), at - at.floor());
            [(first, 1.0 - part), (first + 1.0, part)]
        };
        for (row, down) in pair(y) {
            for (col, right) in pair(x) {
                let at = padding
                    .index(row as i64, image.height)
                    .zip(padding.index(col as i64, image.width));
                if let Some((row, col)) = at {
                    let value = image.pixels[3 * (row * image.width + col) + c];
                    sum += down * right * f64::from(value) / 255.0;
                }
            }
        }
        sum
    }

    #[test]
    fn every_size_and_padding_gives_the_weighted_mean_of_four_neighbours() {
        // Sizes below, equal to and above a group of lanes, and sources of a single row or column.
        for (height, width) in [(1, 1), (1, 7), (6, 1), (2, 2), (5, 9), (33, 21)] {
            let pixels: Vec<u8> = (0..3 * height * width)
                .map(|i| (i * 67 % 251) as u8)
                .collect();
            let image = Source {
                pixels: &pixels,
                height,
                width,
            };
            let shrunk: Vec<f32> = pixels.iter().map(|&p| f32::from(p)).collect();
            for (rows, cols) in [(1, 1), (3, 15), (4, 16), (2, 35)] {
                for map in [
                    Map::IDENTITY,
                    Map::rotate(31.0).after(&Map::zoom(0.8, 0.3, 0.9)),
                    Map::symmetric_warp([0.2, -0.1, 0.05, 0.3]),
                ] {
                    for padding in [PaddingMode::Border, PaddingMode::Reflection] {
                        let (all_rows, all_cols): (Vec<_>, Vec<_>) =
                            ((0..rows).collect(), (0..cols).rev().collect());
                        let grid = Grid {
                            height: rows,
                            width: cols,
                            rows: &all_rows,
                            cols: &all_cols,
                            map,
                            padding,
                        };
                        let found = bilinear(image, &grid);
                        let floats = Source {
                            pixels: shrunk.as_slice(),
                            height,
                            width,
                        };
                        assert_eq!(found, bilinear(floats, &grid));
                        for (i, &value) in found.iter().enumerate() {
                            let (c, row, col) = (i / (rows * cols), i / cols % rows, i % cols);
                            let point =
                                map.apply(position(all_cols[col], cols), position(row, rows));
                            let expected = exact(image, point, c, padding);
                            assert!(
                                (f64::from(value) - expected).abs() < 1e-6,
                                "{height}x{width} to {rows}x{cols}, {map:?}, {padding:?}, value {i}: \
                                 {value}, not {expected}"
                            );
                        }
                    }
                }
            }
        }
    }
}
