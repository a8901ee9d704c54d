//! Odd but valid images, made by `scripts/make_odd_images.py`, have Pillow's pixels.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use flate2::read::GzDecoder;
use serde_json::Value;
use vision_data::{Error, Image, ImageError, ImageProblem, Limits};

/// What Pillow reads and this library does not, with a word of the error.
const REFUSED: [(&str, &str); 6] = [
    // Black in Pillow.
    ("png_no_palette.png", "Missing palette"),
    ("tiff_lzma_gray_mm.tif", "LZMA"),
    ("tiff_lzma_planes.tif", "LZMA"),
    ("tiff_lzma_predictor.tif", "LZMA"),
    ("tiff_lzma_rgb.tif", "LZMA"),
    ("tiff_lzma_tiles.tif", "LZMA"),
];

/// What Pillow refuses and this library reads: kinds that Pillow does not know, and damage beside the pixels.
const READ_BEYOND: [&str; 29] = [
    "bmp_16_fields_444.bmp",
    "bmp_32_fields_rgbx.bmp",
    "bmp_32_fields_xrgb.bmp",
    "bmp_rle8_delta.bmp",
    "png_exif_damaged.png",
    "png_short_phys.png",
    "png_text_bad_crc.png",
    "png_unknown_bad_crc.png",
    "pnm_comment_after_magic.ppm",
    "pnm_p2_above.pgm",
    "pnm_p7_BLACKANDWHITE.pam",
    "pnm_p7_GRAYSCALE.pam",
    "pnm_p7_GRAYSCALE_ALPHA.pam",
    "pnm_p7_RGB.pam",
    "pnm_p7_RGB_ALPHA.pam",
    "tiff_big_mm_lzw.tif",
    "tiff_g4_big_rare_0.tif",
    "tiff_g4_big_rare_1.tif",
    "tiff_g4_big_smooth_0.tif",
    "tiff_g4_big_smooth_1.tif",
    "tiff_gray8_white_fill2.tif",
    "tiff_gray_extra_1.tif",
    "tiff_jpeg_fill2.tif",
    "tiff_jpeg_ycbcr_big.tif",
    "tiff_palette1_fill2.tif",
    "tiff_palette2_fill2.tif",
    "tiff_palette4_fill2.tif",
    "tiff_rgb_extra_0_planes_raw.tif",
    "webp_exif_damaged.webp",
];

/// The files of the archive, by name.
fn archive() -> BTreeMap<String, Vec<u8>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/odd_images.tgz");
    let mut archive = tar::Archive::new(GzDecoder::new(File::open(path).unwrap()));
    let entries = archive.entries().unwrap().map(|entry| {
        let mut entry = entry.unwrap();
        let name = entry.path().unwrap().to_str().unwrap().to_owned();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        (name, bytes)
    });
    entries.collect()
}

fn problem(result: vision_data::Result<Image>) -> Result<Image, ImageProblem> {
    result.map_err(|error| match error {
        Error::Image(ImageError::Decode { problem, .. }) => problem,
        other => panic!("{other}"),
    })
}

#[test]
fn odd_images_have_pillows_pixels_or_are_refused_for_a_reason() {
    let files = archive();
    let expected: BTreeMap<String, Value> =
        serde_json::from_slice(&files["expected.json"]).unwrap();
    let (mut equal, mut refused_by_both, mut wrong) = (0, 0, Vec::new());
    let (mut refused, mut read_beyond) = (Vec::new(), Vec::new());
    for (name, case) in &expected {
        let number = |field: &str| case[field].as_u64().unwrap();
        let found = problem(Image::decode(&files[name]));
        match (found, case["pixels"].as_str()) {
            (Ok(image), Some(pixels)) => {
                let pixels = &files[&format!("{pixels}.rgb")];
                let size = (u64::from(image.width()), u64::from(image.height()));
                let apart = image
                    .pixels()
                    .iter()
                    .zip(pixels)
                    .map(|(a, b)| a.abs_diff(*b));
                let apart = u64::from(apart.max().unwrap());
                match size == (number("width"), number("height")) && apart <= number("tolerance") {
                    true => equal += 1,
                    false => wrong.push(format!("{name}: {size:?}, off by {apart}")),
                }
            }
            (Err(problem), Some(_)) => refused.push((name.as_str(), problem.to_string())),
            (Ok(_), None) => read_beyond.push(name.as_str()),
            (Err(problem), None) => {
                refused_by_both += 1;
                if name.contains("_cut") {
                    let missing = matches!(
                        problem,
                        ImageProblem::Truncated(_) | ImageProblem::Damaged(_)
                    );
                    assert!(missing, "{name}: {problem}");
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    let names: Vec<_> = refused.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, REFUSED.map(|(name, _)| name));
    for ((_, found), (name, word)) in refused.iter().zip(REFUSED) {
        assert!(found.contains(word), "{name}: {found}");
    }
    assert_eq!(read_beyond, READ_BEYOND);
    let both = expected.len() - equal - REFUSED.len() - READ_BEYOND.len();
    assert_eq!((expected.len(), equal, refused_by_both), (690, 617, both));
}

#[test]
fn damage_of_odd_images_never_panics_and_ends_soon() {
    let limits = Limits {
        max_pixels: 100_000,
        max_bytes: 1 << 20,
        ..Limits::default()
    };
    for (name, whole) in archive() {
        if name.ends_with(".rgb") || name.ends_with(".json") {
            continue;
        }
        // A byte of the header in turn, and others in between; and the beginning of the file.
        let step = (whole.len() / 40).max(1);
        for at in (0..whole.len().min(40)).chain((40..whole.len()).step_by(step)) {
            for value in [0, 0xFF, !whole[at], whole[at] ^ 1] {
                let mut damaged = whole.clone();
                damaged[at] = value;
                let found = problem(Image::decode_within(&damaged, &limits));
                // Panics of other decoders are caught; of these kinds none is known.
                if let Err(ImageProblem::DecoderPanic(panic)) = found {
                    assert!(
                        !name.ends_with(".tif") && !name.ends_with(".jpg"),
                        "{name}, byte {at} as {value}: {panic}"
                    );
                }
            }
            let _ = Image::decode_within(&whole[..at], &limits);
        }
    }
}
