//! Pillow's bilinear resizing of 8-bit images, to the bit: each pixel of the result is a weighted mean
//! of all those that it covers, columns first and then rows, rounded to 8 bits after each. (From version
//! 13 on Pillow takes rows first where that is less work, and may differ from this by 1 of 255.)

use crate::image::Image;
use crate::part::Part;

/// Bits behind the point of a weight.
const PRECISION: u32 = 32 - 8 - 2;

/// The pixels that one pixel of the result is made of.
struct Taps {
    first: usize,
    weights: Vec<i32>,
}

/// A part of `image`, resized: rows of red, green and blue.
pub(crate) fn resize(image: &Image, part: &Part) -> Vec<u8> {
    let Part {
        source,
        size,
        window,
    } = part;
    let columns = taps(source.width, size.1, window.left, window.width);
    let rows = taps(source.height, size.0, window.top, window.height);
    // The rows of the source that are needed at all.
    let top = rows.first().map_or(0, |taps| taps.first);
    let bottom = rows
        .last()
        .map_or(0, |taps| taps.first + taps.weights.len());

    let line = 3 * image.width() as usize;
    let mut narrow = Vec::with_capacity(3 * (bottom - top) * window.width);
    let lines = image.pixels().chunks_exact(line);
    for row in lines.skip(source.top + top).take(bottom - top) {
        let row = &row[3 * source.left..];
        for Taps { first, weights } in &columns {
            let mut sums = [1 << (PRECISION - 1); 3];
            for (pixel, &weight) in row[3 * first..].chunks_exact(3).zip(weights) {
                for (sum, &value) in sums.iter_mut().zip(pixel) {
                    *sum += i32::from(value) * weight;
                }
            }
            narrow.extend(sums.map(to_byte));
        }
    }
    let line = 3 * window.width;
    let mut pixels = Vec::with_capacity(line * window.height);
    let mut sums = vec![0; line];
    for Taps { first, weights } in &rows {
        sums.fill(1 << (PRECISION - 1));
        for (row, &weight) in narrow[line * (first - top)..]
            .chunks_exact(line)
            .zip(weights)
        {
            for (sum, &value) in sums.iter_mut().zip(row) {
                *sum += i32::from(value) * weight;
            }
        }
        pixels.extend(sums.iter().map(|&sum| to_byte(sum)));
    }
    pixels
}

fn to_byte(sum: i32) -> u8 {
    (sum >> PRECISION).clamp(0, 255) as u8
}

/// A triangle about the centre of each pixel of the result, as wide as two of them, but no narrower
/// than two of the source.
fn taps(from: usize, to: usize, start: usize, count: usize) -> Vec<Taps> {
    let scale = from as f64 / to as f64;
    let support = scale.max(1.0);
    // Multiplied by and not divided, for Pillow's last bit.
    let narrowing = 1.0 / support;
    let of = |i: usize| {
        let centre = (i as f64 + 0.5) * scale;
        let first = (centre - support + 0.5).max(0.0) as usize;
        let end = ((centre + support + 0.5) as usize).min(from);
        let weights: Vec<f64> = (first..end)
            .map(|x| (1.0 - ((x as f64 - centre + 0.5) * narrowing).abs()).max(0.0))
            .collect();
        let sum: f64 = weights.iter().sum();
        let fixed = |weight: f64| (0.5 + weight / sum * f64::from(1 << PRECISION)) as i32;
        Taps {
            first,
            weights: weights.into_iter().map(fixed).collect(),
        }
    };
    (start..start + count).map(of).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::Value;
    use sha2::{Digest as _, Sha256};

    use super::*;
    use crate::part::{PartDraw, Rect};
    use crate::rng::{Purpose, Rng};

    /// The picture that `scripts/make_transform_fixtures.py` draws by the same rule.
    fn picture(height: usize, width: usize) -> Image {
        let shade =
            |x: usize, y: usize, c: usize| ((x * 23 + y * 41 + c * 67 + x * y * 5) % 256) as u8;
        let pixels = (0..height)
            .flat_map(|y| (0..width).flat_map(move |x| [0, 1, 2].map(|c| shade(x, y, c))));
        Image::from_pixels((height, width), pixels.collect())
    }

    fn whole(height: usize, width: usize) -> Rect {
        Rect {
            top: 0,
            left: 0,
            height,
            width,
        }
    }

    #[test]
    fn resizing_gives_the_bytes_of_pillow_and_the_centre_is_torchvisions() {
        let cases = include_str!("../tests/fixtures/pillow.json");
        let cases: Vec<Value> = serde_json::from_str(cases).unwrap();
        assert_eq!(cases.len(), 10);
        for case in &cases {
            let side = |name: &str, i: usize| case[name][i].as_u64().unwrap() as usize;
            let source = (side("source", 0), side("source", 1));
            let size = (side("size", 0), side("size", 1));
            let part = match case.get("extra").and_then(Value::as_u64) {
                Some(extra) => PartDraw::centre(extra as u32).part(source, size),
                None => Part {
                    source: whole(source.0, source.1),
                    size,
                    window: whole(size.0, size.1),
                },
            };
            let found = resize(&picture(source.0, source.1), &part);
            let sum = Sha256::digest(&found);
            let sum: String = sum.iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(sum, case["sha256"].as_str().unwrap(), "{case}");
        }
    }

    #[test]
    fn a_part_is_resized_as_if_it_had_been_cut_out_first() {
        let image = picture(40, 50);
        let mut rng = Rng::keyed(Purpose::Augment, 1, 2, 3);
        for _ in 0..50 {
            let draw = PartDraw::random(&[0.08, 1.0].into(), &[0.75, 4.0 / 3.0].into(), &mut rng);
            let part = draw.part((40, 50), (16, 16));
            let Rect {
                top,
                left,
                height,
                width,
            } = part.source;
            assert!(top + height <= 40 && left + width <= 50);
            let lines = image.pixels().chunks(150).skip(top).take(height);
            let cut = lines.flat_map(|line| &line[3 * left..][..3 * width]);
            let cut = Image::from_pixels((height, width), cut.copied().collect());
            let alone = Part {
                source: whole(height, width),
                ..part
            };
            assert_eq!(resize(&image, &part), resize(&cut, &alone));
        }
    }
}
