//! Decoding of JPEGs at reduced size, using only the low frequencies of each block.

use image::{DynamicImage, GrayImage, RgbImage};
use jpeg_decoder::{Decoder, PixelFormat};
use memchr::memmem;

use crate::image::decoders::jpeg::MOST_SCANS;
use crate::image::limits::Limits;

/// Decodes a gray or color JPEG at 1/2, 1/4 or 1/8 of its size: the smallest scale that leaves the shorter
/// side at least twice as long as `side`, so that a later resize still has pixels to average. `None` if
/// that is the full size, and if this decoder does not support the file or finds it damaged: the other
/// decoder decides.
pub(crate) fn jpeg(bytes: &[u8], side: u32, limits: &Limits) -> Option<DynamicImage> {
    // Each scan begins with this marker, which cannot occur elsewhere in compressed data.
    if memmem::find_iter(bytes, &[0xFF, 0xDA]).count() > MOST_SCANS {
        return None;
    }
    let mut decoder = Decoder::new(bytes);
    decoder.set_max_decoding_buffer_size(usize::try_from(limits.max_bytes).unwrap_or(usize::MAX));
    decoder.read_info().ok()?;
    let info = decoder.info()?;
    let enough = side.saturating_mul(2);
    let short = u32::from(info.width.min(info.height));
    let part = [8, 4, 2].into_iter().find(|part| short / part >= enough)?;
    let side = |whole: u16| whole.div_ceil(part as u16);
    let (width, height) = decoder.scale(side(info.width), side(info.height)).ok()?;
    let pixels = decoder.decode().ok()?;
    let (width, height) = (u32::from(width), u32::from(height));
    match info.pixel_format {
        PixelFormat::L8 => GrayImage::from_raw(width, height, pixels).map(DynamicImage::ImageLuma8),
        PixelFormat::RGB24 => {
            RgbImage::from_raw(width, height, pixels).map(DynamicImage::ImageRgb8)
        }
        PixelFormat::L16 | PixelFormat::CMYK32 => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::fs;
    use std::path::Path;

    use super::*;

    /// Made by `scripts/make_reduced_fixtures.py`.
    fn fixture(name: &str) -> Vec<u8> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/reduced");
        fs::read(folder.join(name)).unwrap()
    }

    #[test]
    fn reduced_images_are_close_to_those_of_libjpeg() {
        // Mean differences in levels of 255, slightly above the measured ones. For subsampled colors, libjpeg
        // uses more of their frequencies, while this decoder repeats pixels.
        let (coarse, full) = ([0.8, 1.6, 3.4], [0.3, 1.1, 1.1]);
        let cases = [
            ("420", coarse),
            ("444", full),
            ("gray", full),
            ("progressive", coarse),
        ];
        for (name, most) in cases {
            let jpeg = fixture(&format!("{name}.jpg"));
            // The shorter side has 131 pixels.
            for ((part, side), most) in [(2, 32), (4, 16), (8, 8)].into_iter().zip(most) {
                let ours = super::jpeg(&jpeg, side, &Limits::default())
                    .unwrap()
                    .into_rgb8();
                let theirs = image::load_from_memory(&fixture(&format!("{name}_{part}.png")));
                let theirs = theirs.unwrap().into_rgb8();
                assert_eq!(ours.dimensions(), theirs.dimensions());
                let apart = ours
                    .as_raw()
                    .iter()
                    .zip(theirs.as_raw())
                    .map(|(a, b)| a.abs_diff(*b));
                let mean = apart.map(f64::from).sum::<f64>() / theirs.as_raw().len() as f64;
                assert!(mean < most, "{name} at 1/{part}: {mean}");
            }
        }
    }

    #[test]
    fn an_image_is_reduced_no_further_than_to_twice_the_side() {
        let size = |side| {
            let reduced = jpeg(&fixture("444.jpg"), side, &Limits::default());
            reduced.map(|image| image.width().min(image.height()))
        };
        assert_eq!(
            [33, 32, 17, 16, 9, 8].map(size),
            [None, Some(66), Some(66), Some(33), Some(33), Some(17)]
        );
        assert_eq!(size(u32::MAX), None);
    }

    #[test]
    fn four_inks_and_damage_are_left_to_the_other_decoder() {
        let cmyk = include_bytes!("../../../tests/fixtures/images/cmyk.jpg");
        assert!(jpeg(cmyk, 1, &Limits::default()).is_none());
        let whole = fixture("420.jpg");
        assert!(jpeg(&whole[..whole.len() / 2], 8, &Limits::default()).is_none());
        let tight = Limits {
            max_bytes: 100,
            ..Limits::default()
        };
        assert!(jpeg(&whole, 8, &tight).is_none());
        // Repeat the last scan: each would be decoded, and a few hundred bytes would take seconds.
        let progressive = fixture("progressive.jpg");
        let scan = memmem::rfind(&progressive, &[0xFF, 0xDA]).unwrap();
        let (before, scan) = progressive.split_at(scan);
        let (scan, end) = scan.split_at(scan.len() - 2);
        let repeated = |times| [before, &scan.repeat(times), end].concat();
        assert!(jpeg(&repeated(1), 8, &Limits::default()).is_some());
        assert!(jpeg(&repeated(101), 8, &Limits::default()).is_none());
    }
}
