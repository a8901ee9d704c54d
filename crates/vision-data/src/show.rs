//! Looking at a batch.

use image::imageops::{self, FilterType};
use image::{Rgb, RgbImage};

use crate::batch::Batch;

/// The side that small images are enlarged to, or beyond: one can recognise something there.
const LEGIBLE: u32 = 84;
/// The side that large images are reduced to.
const ENOUGH: u32 = 256;
/// Between images.
const GAP: u32 = 4;

/// Up to `rows` by `rows` images side by side on white, row by row.
pub(crate) fn mosaic(batch: &Batch, rows: usize) -> RgbImage {
    let wanted = rows.saturating_mul(rows).min(batch.len());
    let tiles: Vec<RgbImage> = (0..wanted)
        .filter_map(|i| batch.picture(i))
        .map(fit)
        .collect();
    let columns = (tiles.len() as f64).sqrt().ceil().max(1.0) as u32;
    let (width, height) = tiles.first().map_or((1, 1), RgbImage::dimensions);
    let lines = (tiles.len() as u32).div_ceil(columns);
    let mut canvas = RgbImage::from_pixel(
        columns * (width + GAP) + GAP,
        lines * (height + GAP) + GAP,
        Rgb([255; 3]),
    );
    for (i, tile) in (0..).zip(&tiles) {
        let x = GAP + i % columns * (width + GAP);
        let y = GAP + i / columns * (height + GAP);
        imageops::replace(&mut canvas, tile, i64::from(x), i64::from(y));
    }
    canvas
}

/// Enlarges by a whole factor, so that pixels stay squares, or reduces.
fn fit(image: RgbImage) -> RgbImage {
    let (width, height) = image.dimensions();
    let longer = width.max(height).max(1);
    let factor = LEGIBLE.div_ceil(longer);
    if longer > ENOUGH {
        let side = |n: u32| (u64::from(n) * u64::from(ENOUGH) / u64::from(longer)).max(1) as u32;
        imageops::thumbnail(&image, side(width), side(height))
    } else if factor > 1 {
        imageops::resize(&image, width * factor, height * factor, FilterType::Nearest)
    } else {
        image
    }
}
