//! Bilinear sampling at arbitrary points, which jitter requires. Rarely used, and therefore simple.

use crate::pipeline::sampling::grid::{Grid, Source};
use crate::pipeline::sampling::{shrink, shrunk_size};

/// Samples `image` at `points` into planes of red, green and blue, in `[0, 1]`. `grid` gives the
/// points without jitter.
pub(crate) fn sample_points(
    image: Source<'_, u8>,
    grid: &Grid<'_>,
    points: &[(f64, f64)],
) -> Vec<f32> {
    let (pixels, (height, width)) = match shrunk_size(
        image.height,
        image.width,
        (grid.height, grid.width),
        &grid.map,
    ) {
        Some(size) => (shrink(image, size.0, size.1), size),
        None => (
            image.pixels.iter().map(|&p| f32::from(p)).collect(),
            (image.height, image.width),
        ),
    };
    let value = |row: f64, col: f64, channel: usize| {
        let row = grid.padding.index(row as i64, height)?;
        let col = grid.padding.index(col as i64, width)?;
        pixels.get(3 * (row * width + col) + channel).copied()
    };
    let place = |coordinate: f64, n: usize| (coordinate + 1.0) / 2.0 * (n - 1) as f64;
    let mut planes = Vec::with_capacity(3 * points.len());
    for channel in 0..3 {
        planes.extend(points.iter().map(|&(x, y)| {
            let (x, y) = (place(x, width), place(y, height));
            let (left, top) = (x.floor(), y.floor());
            // A map may reach infinity, and infinity minus infinity is NaN.
            let (right, below) = (((x - left) as f32).max(0.0), ((y - top) as f32).max(0.0));
            let across = |row: f64| {
                let seen = |col: f64| value(row, col, channel).unwrap_or(0.0);
                let first = seen(left);
                first + (seen(left + 1.0) - first) * right
            };
            let upper = across(top);
            (upper + (across(top + 1.0) - upper) * below) / 255.0
        }));
    }
    planes
}
