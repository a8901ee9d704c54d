//! Golden images that are drawn, since those of a user may be private.

use std::f32::consts::TAU;
use std::io::Cursor;

use image::codecs::jpeg::JpegEncoder;
use image::{ImageError, ImageFormat, Rgb, RgbImage};

use crate::model::sides::Sides;

/// Smallest side of a drawn image in pixels.
const SIDE: u32 = 96;

/// Three encoded images with names: a PNG and two JPEGs of different shapes, so that a replay decodes, resizes and
/// crops in both directions. All sides are sides that the model takes.
pub(super) fn images(sides: Sides) -> Result<Vec<(String, Vec<u8>)>, ImageError> {
    let [least, multiple] =
        [sides.least, sides.multiple].map(|side| u32::try_from(side).unwrap_or(SIDE));
    let side = SIDE.max(least);
    let side = match multiple {
        0 | 1 => side,
        // Three halves and four thirds of it are multiples, too.
        multiple => side.next_multiple_of(multiple.saturating_mul(6)),
    };
    let gradient = RgbImage::from_fn(side, side, |x, y| {
        let level = |part: u32| (part * 255 / (2 * side)) as u8;
        Rgb([level(2 * x), level(2 * y), level(x + y)])
    });
    let wide = RgbImage::from_fn(side * 3 / 2, side, |x, y| {
        pixel(x, y, side, [3.0, 5.0, 9.0])
    });
    let tall = RgbImage::from_fn(side, side * 4 / 3, |x, y| {
        pixel(x, y, side, [11.0, 2.0, 4.0])
    });
    let mut png = Vec::new();
    gradient.write_to(&mut Cursor::new(&mut png), ImageFormat::Png)?;
    let jpeg = |image: &RgbImage| {
        let mut bytes = Vec::new();
        JpegEncoder::new_with_quality(&mut bytes, 90).encode_image(image)?;
        Ok::<_, ImageError>(bytes)
    };
    Ok(vec![
        ("drawn 1 (PNG)".to_owned(), png),
        ("drawn 2 (JPEG, wide)".to_owned(), jpeg(&wide)?),
        ("drawn 3 (JPEG, tall)".to_owned(), jpeg(&tall)?),
    ])
}

/// A disk on waves: edges and smooth parts, in all channels.
fn pixel(x: u32, y: u32, side: u32, waves: [f32; 3]) -> Rgb<u8> {
    let (u, v) = (x as f32 / side as f32, y as f32 / side as f32);
    let inside = (u - 0.6).hypot(v - 0.5) < 0.3;
    Rgb(waves.map(|wave| {
        let level = 0.5 + 0.4 * (TAU * (wave * u + v * (wave - 2.0) / 3.0)).sin();
        let level = if inside { 1.0 - level } else { level };
        (level * 255.0) as u8
    }))
}
