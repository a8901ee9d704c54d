//! Bilinear sampling like fastai's: PyTorch's `grid_sample(align_corners=True)` with any padding mode,
//! after area reduction if sampling would skip source pixels.

pub(crate) mod bilinear;
pub(crate) mod grid;
pub(crate) mod pillow;
pub(crate) mod points;
pub(crate) mod projective;

use crate::pipeline::sampling::bilinear::{Value, bilinear};
use crate::pipeline::sampling::grid::{Grid, Source, position};
use crate::pipeline::sampling::projective::Map;
use crate::transforms::padding::PaddingMode;

/// Samples `image` on `grid` into planes of red, green and blue, in `[0, 1]`.
pub(crate) fn sample(image: Source<'_, u8>, grid: &Grid<'_>) -> Vec<f32> {
    match shrunk_size(
        image.height,
        image.width,
        (grid.height, grid.width),
        &grid.map,
    ) {
        Some((height, width)) => {
            let pixels = shrink(image, height, width);
            let image = Source {
                pixels: &pixels,
                height,
                width,
            };
            padded(image, grid)
        }
        None => padded(image, grid),
    }
}

/// With black beyond the edge, adds a black rim to the image, so that the inner loop need not check which
/// neighbors exist.
fn padded<T: Value>(image: Source<'_, T>, grid: &Grid<'_>) -> Vec<f32> {
    if grid.padding != PaddingMode::Zeros {
        return bilinear(image, grid);
    }
    let line = 3 * (image.width + 2);
    let mut pixels = vec![T::default(); line * (image.height + 2)];
    let inner = pixels.chunks_exact_mut(line).skip(1);
    for (line, row) in inner.zip(image.pixels.chunks_exact(3 * image.width)) {
        line[3..3 + row.len()].copy_from_slice(row);
    }
    let image = Source {
        pixels: &pixels,
        height: image.height + 2,
        width: image.width + 2,
    };
    bilinear(image, grid)
}

/// The size to reduce to before sampling. Like fastai, reduces if the image gets more than two times
/// smaller, unless the map zooms in by as much.
pub(crate) fn shrunk_size(
    height: usize,
    width: usize,
    grid: (usize, usize),
    map: &Map,
) -> Option<(usize, usize)> {
    let rows = height as f64 / grid.0 as f64;
    let cols = width as f64 / grid.1 as f64;
    let shrink = rows.min(cols) / 2.0;
    if shrink <= 1.0 {
        return None;
    }
    // The extremes of a projective map of a rectangle are at its corners.
    let ends = |n: usize| [-1.0, position(n - 1, n)];
    let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
    for x in ends(grid.1) {
        for y in ends(grid.0) {
            let (u, v) = map.apply(x, y);
            low = low.min(u).min(v);
            high = high.max(u).max(v);
        }
    }
    let zoom = 2.0 / (high - low);
    (shrink > zoom).then(|| {
        let side = |n: usize| ((n as f64 * (1.0 / shrink)) as usize).max(1);
        (side(height), side(width))
    })
}

/// PyTorch's `interpolate(mode="area")`: each pixel is the mean of those it covers, even partly.
pub(crate) fn shrink(image: Source<'_, u8>, height: usize, width: usize) -> Vec<f32> {
    let span = |i: usize, from: usize, to: usize| (i * from / to, ((i + 1) * from).div_ceil(to));
    let mut shrunk = Vec::with_capacity(3 * height * width);
    let mut sums = vec![[0_u64; 3]; image.width];
    for row in 0..height {
        let (top, bottom) = span(row, image.height, height);
        sums.fill([0; 3]);
        let lines = image.pixels.chunks_exact(3 * image.width);
        for line in lines.skip(top).take(bottom - top) {
            for (sum, pixel) in sums.iter_mut().zip(line.chunks_exact(3)) {
                for (s, &p) in sum.iter_mut().zip(pixel) {
                    *s += u64::from(p);
                }
            }
        }
        for col in 0..width {
            let (left, right) = span(col, image.width, width);
            let count = ((bottom - top) * (right - left)) as f64;
            for c in 0..3 {
                let sum: u64 = sums[left..right].iter().map(|sum| sum[c]).sum();
                shrunk.push((sum as f64 / count) as f32);
            }
        }
    }
    shrunk
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first row of a ramp (value = column) of `from` columns, resized to `to`, times 255.
    fn ramp(from: usize, to: usize) -> Vec<f32> {
        let line: Vec<u8> = (0..from).flat_map(|x| [x as u8; 3]).collect();
        let pixels: Vec<u8> = line.repeat(from);
        let image = Source {
            pixels: &pixels,
            height: from,
            width: from,
        };
        let all: Vec<usize> = (0..to).collect();
        let grid = Grid {
            height: to,
            width: to,
            rows: &all,
            cols: &all,
            map: Map::IDENTITY,
            padding: PaddingMode::Reflection,
        };
        let planes = sample(image, &grid);
        planes[..to].iter().map(|v| v * 255.0).collect()
    }

    #[test]
    fn ramps_are_resized_as_fastai_computes_them() {
        // Values computed with the formulas of fastai 1.0.61's vision/image.py.
        let twenty_eight: Vec<f32> = (0..14).map(|i| i as f32 * 27.0 / 13.0).collect();
        let eight: Vec<f32> = (0..8).map(|i| i as f32 * 3.0 / 7.0).collect();
        let cases: [(usize, &[f32]); 6] = [
            (4, &[0.0, 3.0]),
            (8, &[0.5, 6.5]),
            (8, &[0.5, 3.5, 6.5]),
            (10, &[0.5, 4.5, 8.5]),
            (4, &eight),
            (28, &twenty_eight),
        ];
        for (from, expected) in cases {
            let found = ramp(from, expected.len());
            for (a, b) in found.iter().zip(expected) {
                assert!(
                    (a - b).abs() < 1e-4,
                    "{from}: {found:?}, expected {expected:?}"
                );
            }
        }
    }

    #[test]
    fn beyond_the_edge_comes_black_or_the_edge_where_asked_for() {
        // Pixels at -1, 0 and 1, the last of them white. Halfway between the last pixel and the next
        // position, the value is half of it with a black rim, and all of it if the edge is repeated.
        let pixels = [[0; 3], [0; 3], [255; 3]].concat();
        let value = |padding, shift: f64| {
            let source = Source {
                pixels: &pixels,
                height: 1,
                width: 3,
            };
            let grid = Grid {
                height: 1,
                width: 3,
                rows: &[0],
                cols: &[2],
                map: Map([[1.0, 0.0, shift], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]),
                padding,
            };
            sample(source, &grid)[0]
        };
        assert_eq!(value(PaddingMode::Zeros, 0.5), 0.5);
        assert_eq!(value(PaddingMode::Zeros, 1.0), 0.0);
        assert_eq!(value(PaddingMode::Zeros, 7.0), 0.0);
        assert_eq!(value(PaddingMode::Zeros, 0.0), 1.0);
        assert_eq!(value(PaddingMode::Border, 0.5), 1.0);
        assert_eq!(value(PaddingMode::Border, 7.0), 1.0);
        assert_eq!(value(PaddingMode::Reflection, 0.5), 0.5);
        assert_eq!(value(PaddingMode::Reflection, 1.0), 0.0);
        assert_eq!(value(PaddingMode::Reflection, 2.0), 0.0);
        assert_eq!(value(PaddingMode::Reflection, 4.0), 1.0);
    }
}
