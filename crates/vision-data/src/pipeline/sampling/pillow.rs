//! Pillow's bilinear resizing of 8-bit images, bit-exact: each pixel of the result is a weighted mean
//! of all pixels it covers, columns first and then rows, rounded to 8 bits after each pass. (From version
//! 13 on, Pillow processes rows first if that is less work, and may differ by 1 of 255.)
//!
//! Both passes compute weighted means of blocks of [`BLOCK`] bytes: loops over arrays without branches,
//! which the compiler vectorizes for each instruction set. They use integers, so the sums are the same in
//! all of them. The second pass takes its blocks directly from rows. In the first pass neighbors have
//! different weights, so it takes its blocks across [`ROWS`] rows.

use std::ops::Range;

use pulp::Arch;

use crate::image::Image;
use crate::pipeline::crop::Part;

/// Fractional bits of a weight.
const PRECISION: u32 = 32 - 8 - 2;

/// The start value of each sum, so that truncating the fractional bits rounds.
const HALF: i32 = 1 << (PRECISION - 1);

/// The number of bytes computed at once: few enough to keep their sums in registers.
const BLOCK: usize = 32;

/// The number of rows that the first pass processes at once, with four bytes per pixel.
const ROWS: usize = BLOCK / 4;

type Block = [u8; BLOCK];

/// The source pixels and weights for one axis of the result.
struct Taps {
    /// The source pixels that are used.
    span: Range<usize>,
    /// For each result pixel its first source pixel, counted from the start of `span`.
    firsts: Vec<usize>,
    /// The number of source pixels per result pixel: the maximum for all, since loops of varying length
    /// are often mispredicted.
    count: usize,
    /// `count` weights per result pixel; 0 for source pixels it does not cover.
    weights: Vec<i32>,
}

impl Taps {
    /// The first source pixel and the weights of a result pixel.
    #[inline(always)]
    fn iter(&self) -> impl Iterator<Item = (usize, &[i32])> {
        let weights = self.weights.chunks_exact(self.count);
        self.firsts.iter().copied().zip(weights)
    }
}

/// Resizes a part of `image`.
pub(crate) fn resize(image: &Image, part: &Part) -> Image {
    let Part {
        source,
        size,
        window,
    } = part;
    let columns = taps(source.width, size.1, window.left, window.width);
    let rows = taps(source.height, size.0, window.top, window.height);
    let start = 3 * (source.left + columns.span.start);
    let lines: Vec<&[u8]> = image
        .pixels()
        .chunks_exact(3 * image.width() as usize)
        .skip(source.top + rows.span.start)
        .take(rows.span.len())
        .map(|line| &line[start..start + 3 * columns.span.len()])
        .collect();
    let pixels = Arch::new().dispatch(Passes {
        lines: &lines,
        columns: &columns,
        rows: &rows,
    });
    Image::from_pixels((window.height, window.width), pixels)
}

/// Resizes `image` to a height and width.
pub(crate) fn resized(image: &Image, size: (usize, usize)) -> Image {
    let source = (image.height() as usize, image.width() as usize);
    resize(image, &Part::whole(source, size))
}

/// The computation, as a type, so that it is compiled for each instruction set.
struct Passes<'a> {
    /// The used pixels of each used row.
    lines: &'a [&'a [u8]],
    columns: &'a Taps,
    rows: &'a Taps,
}

impl pulp::NullaryFnOnce for Passes<'_> {
    type Output = Vec<u8>;

    #[inline(always)]
    fn call(self) -> Vec<u8> {
        let Self { columns, rows, .. } = self;
        let line = 3 * columns.firsts.len();
        // Whole blocks per row, and a multiple of rows: the excess is never read.
        let blocks = line.div_ceil(BLOCK);
        let mut narrow = vec![[0; BLOCK]; blocks * self.lines.len().next_multiple_of(ROWS)];
        let mut before = vec![[[0; BLOCK]; 4]; columns.span.len().div_ceil(4)];
        let mut after = vec![[0; BLOCK]; columns.firsts.len()];
        let lines = self.lines.chunks(ROWS);
        for (lines, narrow) in lines.zip(narrow.chunks_exact_mut(blocks * ROWS)) {
            for (place, line) in lines.iter().enumerate() {
                to_blocks(line, &mut before, place);
            }
            for (after, (first, weights)) in after.iter_mut().zip(columns.iter()) {
                *after = mean(before.as_flattened()[first..].iter(), weights);
            }
            for (place, line) in narrow.chunks_exact_mut(blocks).enumerate() {
                from_blocks(&after, place, line.as_flattened_mut());
            }
        }

        let mut pixels = Vec::with_capacity(line * rows.firsts.len());
        let mut made = vec![[0; BLOCK]; blocks];
        for (first, weights) in rows.iter() {
            for (n, made) in made.iter_mut().enumerate() {
                *made = mean(narrow[first * blocks + n..].iter().step_by(blocks), weights);
            }
            pixels.extend_from_slice(&made.as_flattened()[..line]);
        }
        pixels
    }
}

/// Copies the pixels of a row into their blocks, four of them as three words, which is faster than byte by
/// byte. The fourth byte of a pixel in a block has no meaning.
#[inline(always)]
fn to_blocks(line: &[u8], blocks: &mut [[Block; 4]], place: usize) {
    let (whole, rest) = line.as_chunks::<12>();
    let mut last = [0; 12];
    last[..rest.len()].copy_from_slice(rest);
    for (blocks, bytes) in blocks.iter_mut().zip(whole.iter().chain([&last])) {
        let word = |i| u32::from_le_bytes([bytes[i], bytes[i + 1], bytes[i + 2], bytes[i + 3]]);
        let pixels = [word(0), word(3), word(6), word(8) >> 8];
        for (block, pixel) in blocks.iter_mut().zip(pixels) {
            block.as_chunks_mut().0[place] = pixel.to_le_bytes();
        }
    }
}

/// Copies blocks back to a row, which may be longer.
#[inline(always)]
fn from_blocks(blocks: &[Block], place: usize, line: &mut [u8]) {
    for (pixel, block) in line.as_chunks_mut().0.iter_mut().zip(blocks) {
        let [red, green, blue, _] = block.as_chunks().0[place];
        *pixel = [red, green, blue];
    }
}

/// The weighted mean of some blocks.
#[inline(always)]
fn mean<'a>(blocks: impl Iterator<Item = &'a Block>, weights: &[i32]) -> Block {
    let mut sums = [HALF; BLOCK];
    for (block, &weight) in blocks.zip(weights) {
        for i in 0..BLOCK {
            sums[i] += i32::from(block[i]) * weight;
        }
    }
    let mut mean = [0; BLOCK];
    for i in 0..BLOCK {
        mean[i] = to_byte(sums[i]);
    }
    mean
}

#[inline(always)]
fn to_byte(sum: i32) -> u8 {
    (sum >> PRECISION).clamp(0, 255) as u8
}

/// The weights of a triangle about the center of each result pixel. It is as wide as two result pixels,
/// but at least as wide as two source pixels.
fn taps(from: usize, to: usize, start: usize, count: usize) -> Taps {
    let scale = from as f64 / to as f64;
    let support = scale.max(1.0);
    // Multiply instead of dividing, to match Pillow's last bit.
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
        let weights: Vec<i32> = weights.into_iter().map(fixed).collect();
        (first, weights)
    };
    let each: Vec<(usize, Vec<i32>)> = (start..start + count).map(of).collect();

    let count = each.iter().map(|(_, some)| some.len()).max();
    let count = count.expect("at least one pixel is kept");
    // The last ones start earlier than necessary, so that `count` pixels are available.
    let begins: Vec<usize> = each
        .iter()
        .map(|(first, _)| (*first).min(from - count))
        .collect();
    let mut weights = vec![0; count * each.len()];
    let rows = weights.chunks_exact_mut(count);
    for ((all, (first, some)), begin) in rows.zip(&each).zip(&begins) {
        all[first - begin..][..some.len()].copy_from_slice(some);
    }
    let ends = begins.first().zip(begins.last());
    let span = ends.map_or(0..0, |(first, last)| *first..last + count);
    Taps {
        firsts: begins.iter().map(|begin| begin - span.start).collect(),
        span,
        count,
        weights,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;
    use serde_json::Value;
    use sha2::{Digest as _, Sha256};

    use super::*;
    use crate::pipeline::crop::Rect;
    use crate::rng::{Purpose, Rng};
    use crate::transforms::builtin::random_resized_crop::{Attempts, RandomResizedCrop};
    use crate::transforms::builtin::resize_center_crop::ResizeCenterCrop;

    /// The image that `scripts/make_transform_fixtures.py` draws by the same rule.
    fn picture(height: usize, width: usize) -> Image {
        let shade =
            |x: usize, y: usize, c: usize| ((x * 23 + y * 41 + c * 67 + x * y * 5) % 256) as u8;
        let pixels = (0..height)
            .flat_map(|y| (0..width).flat_map(move |x| [0, 1, 2].map(|c| shade(x, y, c))));
        Image::from_pixels((height, width), pixels.collect())
    }

    #[test]
    fn resizing_gives_the_bytes_of_pillow_and_the_centre_is_torchvisions() {
        let cases = include_str!("../../../tests/fixtures/pillow.json");
        let cases: Vec<Value> = serde_json::from_str(cases).unwrap();
        assert_eq!(cases.len(), 10);
        for case in &cases {
            let side = |name: &str, i: usize| case[name][i].as_u64().unwrap() as usize;
            let source = (side("source", 0), side("source", 1));
            let size = (side("size", 0), side("size", 1));
            let part = match case.get("extra").and_then(Value::as_u64) {
                Some(extra) => {
                    let extra = extra as u32;
                    ResizeCenterCrop { extra }.part(source, size)
                }
                None => Part::whole(source, size),
            };
            let found = resize(&picture(source.0, source.1), &part);
            let sum = Sha256::digest(found.pixels());
            let sum: String = sum.iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(sum, case["sha256"].as_str().unwrap(), "{case}");
        }
    }

    #[test]
    fn a_part_is_resized_as_if_it_had_been_cut_out_first() {
        let image = picture(40, 50);
        let mut rng = Rng::keyed(Purpose::Augment, 1, 2, 3);
        for _ in 0..50 {
            let crop = RandomResizedCrop {
                scale: [0.08, 1.0].into(),
                ratio: [0.75, 4.0 / 3.0].into(),
            };
            let draw = Attempts::new(&crop, &mut rng);
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
                source: Rect::whole((height, width)),
                ..part
            };
            assert_eq!(resize(&image, &part), resize(&cut, &alone));
        }
    }

    /// Pixel `i` of `to` by the formula: a sum over all `from` pixels, rounded.
    fn weighted(pixels: impl Iterator<Item = u8>, from: usize, to: usize, i: usize) -> u8 {
        let scale = from as f64 / to as f64;
        let centre = (i as f64 + 0.5) * scale;
        let triangle = |x: usize| {
            let distance = (x as f64 - centre + 0.5) * (1.0 / scale.max(1.0));
            (1.0 - distance.abs()).max(0.0)
        };
        let all: f64 = (0..from).map(triangle).sum();
        let fixed = |x: usize| (0.5 + triangle(x) / all * f64::from(1 << 22)) as i64;
        let sum: i64 = pixels.zip(0..).map(|(p, x)| i64::from(p) * fixed(x)).sum();
        u8::try_from((sum + (1 << 21)) >> 22).unwrap()
    }

    /// All of `source` by the formula, columns first, then cropped to the window.
    fn exact(image: &Image, part: &Part) -> Vec<u8> {
        let Rect {
            top,
            left,
            height,
            width,
        } = part.source;
        let line = 3 * image.width() as usize;
        let value =
            |y: usize, x: usize, c: usize| image.pixels()[(top + y) * line + 3 * (left + x) + c];
        let (rows, cols) = part.size;
        let column = |y: usize, x: usize, c: usize| {
            weighted((0..width).map(|i| value(y, i, c)), width, cols, x)
        };
        let window = part.window;
        let mut pixels = vec![0; 3 * window.height * window.width];
        for x in 0..window.width {
            for c in 0..3 {
                let narrow: Vec<u8> = (0..height).map(|y| column(y, window.left + x, c)).collect();
                for y in 0..window.height {
                    let made = weighted(narrow.iter().copied(), height, rows, window.top + y);
                    pixels[3 * (y * window.width + x) + c] = made;
                }
            }
        }
        pixels
    }

    /// A length, and a shorter stretch within it: often at its start or its end.
    fn stretch(most: usize) -> impl Strategy<Value = (usize, usize, usize)> {
        (1..=most, 0.0..1.0, -0.3..1.3).prop_map(|(all, share, place): (usize, f64, f64)| {
            let length = 1 + (share * all as f64) as usize;
            let place = place.clamp(0.0, 1.0) * (all - length) as f64;
            (all, place.round() as usize, length)
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn any_part_of_any_size_is_what_the_formula_gives(
            rows in stretch(60),
            cols in stretch(60),
            high in stretch(70),
            wide in stretch(70),
        ) {
            let image = picture(rows.0, cols.0);
            let rect = |rows: (usize, usize, usize), cols: (usize, usize, usize)| Rect {
                top: rows.1,
                left: cols.1,
                height: rows.2,
                width: cols.2,
            };
            let part = Part {
                source: rect(rows, cols),
                size: (high.0, wide.0),
                window: rect(high, wide),
            };
            let found = resize(&image, &part);
            prop_assert_eq!(found.pixels(), exact(&image, &part));
        }
    }

    #[test]
    fn lines_become_one_pixel_and_one_pixel_becomes_lines() {
        for (source, size) in [
            ((1, 1), (9, 35)),
            ((1, 1), (1, 1)),
            ((700, 1), (1, 5)),
            ((1, 700), (3, 1)),
            ((2, 3), (65, 33)),
        ] {
            let part = Part::whole(source, size);
            let image = picture(source.0, source.1);
            assert_eq!(
                resize(&image, &part).pixels(),
                exact(&image, &part),
                "{source:?} {size:?}"
            );
        }
    }
}
