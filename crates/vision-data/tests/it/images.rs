//! Whatever is in a file becomes Pillow's pixels or an error that names the file.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use serde_json::Value;
use vision_data::{Error, Image, ImageError, ImageProblem, Limits};

/// Made by `scripts/make_image_fixtures.py`, with the pixels that Pillow finds.
fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/images")
}

fn expected() -> serde_json::Map<String, Value> {
    let text = fs::read_to_string(fixtures().join("expected.json")).unwrap();
    match serde_json::from_str(&text).unwrap() {
        Value::Object(cases) => cases,
        other => panic!("{other}"),
    }
}

fn bytes_of_hex(hex: &str) -> Vec<u8> {
    let digit = |b: u8| (b as char).to_digit(16).unwrap() as u8;
    hex.as_bytes()
        .chunks(2)
        .map(|pair| 16 * digit(pair[0]) + digit(pair[1]))
        .collect()
}

fn write(folder: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, bytes).unwrap();
    path
}

fn problem(path: &Path) -> ImageProblem {
    let error = Image::open(path).expect_err("it was accepted");
    assert!(
        error.to_string().contains(path.to_str().unwrap()),
        "{error}"
    );
    match error {
        Error::Image(ImageError::Decode {
            path: named,
            problem,
        }) if named == path => problem,
        other => panic!("{other}"),
    }
}

#[test]
fn every_kind_of_image_has_the_pixels_that_pillow_finds() {
    let cases = expected();
    assert!(cases.len() >= 52);
    let mut failures = Vec::new();
    for (name, case) in &cases {
        let image = match Image::open(fixtures().join(name)) {
            Ok(image) => image,
            Err(error) => {
                failures.push(error.to_string());
                continue;
            }
        };
        let size = |field: &str| case[field].as_u64().unwrap() as u32;
        assert_eq!(
            (image.width(), image.height()),
            (size("width"), size("height")),
            "{name}"
        );
        let pillow = bytes_of_hex(case["rgb"].as_str().unwrap());
        let worst = image
            .pixels()
            .iter()
            .zip(&pillow)
            .map(|(a, b)| a.abs_diff(*b))
            .max()
            .unwrap();
        if u64::from(worst) > case["tolerance"].as_u64().unwrap() {
            failures.push(format!("{name}: off by {worst}"));
        }
    }
    assert!(failures.is_empty(), "{failures:#?}");
}

#[test]
fn the_content_decides_and_not_the_extension() {
    let folder = tempfile::tempdir().unwrap();
    let png = fs::read(fixtures().join("rgb.png")).unwrap();
    let named_jpg = write(folder.path(), "picture.jpg", &png);
    assert_eq!(
        Image::open(named_jpg).unwrap(),
        Image::decode(&png).unwrap()
    );
}

#[test]
fn a_file_without_a_byte_is_empty() {
    let folder = tempfile::tempdir().unwrap();
    let path = write(folder.path(), "zero.png", b"");
    assert_eq!(problem(&path), ImageProblem::Empty);
}

#[test]
fn a_text_file_called_png_is_told_by_how_it_begins() {
    let folder = tempfile::tempdir().unwrap();
    let path = write(folder.path(), "text.png", b"<!DOCTYPE html>");
    let found = problem(&path);
    assert!(matches!(&found, ImageProblem::UnknownFormat { found } if found.contains("<!DOCTYP")));
    assert!(found.to_string().contains("extension"));
    // PNM begins so too, but for the white space after it.
    let path = write(folder.path(), "text.pgm", b"P2P networks");
    assert!(matches!(problem(&path), ImageProblem::UnknownFormat { .. }));
}

#[test]
fn an_image_of_one_pixel_is_a_image() {
    let image = Image::from_rgb8(1, 1, vec![1, 2, 3]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("one.png");
    image.to_rgb_image().save(&path).unwrap();
    assert_eq!(Image::open(&path).unwrap(), image);
}

#[test]
fn a_file_cut_off_anywhere_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    for name in expected().keys() {
        let whole = fs::read(fixtures().join(name)).unwrap();
        // What a format repeats or pads at its end can be missed: the trailer of a PNG or GIF
        // comes after the pixels, and the first frame may end early.
        let needed = match name.rsplit('.').next().unwrap() {
            // All pixels are there without the end marker.
            "jpg" => whole.len() - 3,
            "png" => whole.len() - 17,
            _ if name.starts_with("two_frames") => whole.len() / 3,
            // The last code and the ends of block and file follow the last pixel's code; Pillow
            // misses two of these bytes as well, our decoder a few more.
            "gif" => whole.len() - 8,
            "webp" => whole.len() - 1,
            "tiff" | "bmp" => whole.len() - 4,
            // Of the last number a digit is a number too.
            _ if name.starts_with("plain") => whole.len() - 6,
            "pbm" | "pgm" | "ppm" | "pnm" => whole.len() - 1,
            other => panic!("{other}"),
        };
        for sixteenth in 1..=16 {
            let cut = (whole.len() * sixteenth / 16).min(needed);
            let path = write(folder.path(), &format!("{cut}_{name}"), &whole[..cut]);
            let image = Image::open(&path);
            assert!(
                image.is_err(),
                "{name} was accepted with {cut} of {} bytes",
                whole.len()
            );
            problem(&path);
        }
    }
}

#[test]
fn a_truncated_jpeg_is_called_truncated() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["444.jpg", "420.jpg", "progressive.jpg", "thumbnail.jpg"] {
        let whole = fs::read(fixtures().join(name)).unwrap();
        let path = write(folder.path(), name, &whole[..whole.len() * 9 / 10]);
        assert!(
            matches!(problem(&path), ImageProblem::Truncated(_)),
            "{name}"
        );
    }
}

#[test]
fn a_small_png_that_claims_ten_thousand_million_pixels_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for (width, height) in [(100_000, 100_000), (16_384, 16_384), (u32::MAX >> 1, 1)] {
        let png = png_claiming(width, height);
        assert!(png.len() < 100);
        let path = write(folder.path(), "bomb.png", &png);
        let found = problem(&path);
        // A side near the largest there is trips the decoder's own limit before ours.
        assert!(
            matches!(
                found,
                ImageProblem::TooManyPixels { .. } | ImageProblem::TooManyBytes { .. }
            ),
            "{found}"
        );
    }
}

#[test]
fn a_pnm_image_that_claims_what_it_has_not_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |text: &str| problem(&write(folder.path(), "claims.ppm", text.as_bytes()));
    for size in ["100000 100000", "4294967295 4294967295"] {
        for magic in ["P1", "P2", "P3", "P4", "P5", "P6"] {
            let found = refused(&format!("{magic}\n{size}\n255\n1 2 3"));
            assert!(
                matches!(
                    found,
                    ImageProblem::TooManyPixels { .. } | ImageProblem::TooManyBytes { .. }
                ),
                "{magic} {size}: {found}"
            );
        }
    }
    assert!(matches!(
        refused("P5\n9 7\n255\n123"),
        ImageProblem::Truncated(_)
    ));
    for (what, header) in [("largest value", "9 7\n0"), ("height", "9 0\n255")] {
        for magic in ["P2", "P3", "P5", "P6"] {
            let found = refused(&format!("{magic}\n{header}\n{}", "1 ".repeat(200)));
            assert!(
                matches!(found, ImageProblem::Damaged(_) | ImageProblem::Empty),
                "{what} of {magic}: {found}"
            );
        }
    }
    assert!(matches!(
        refused("P6\n9 7\n65536\n"),
        ImageProblem::Damaged(_)
    ));
    assert!(matches!(
        refused("P6\n-9 7\n255\n"),
        ImageProblem::Damaged(_)
    ));
    assert!(matches!(refused("P6"), ImageProblem::Truncated(_)));
}

#[test]
fn a_claim_within_the_limit_is_met_by_an_error_and_not_by_a_panic() {
    let folder = tempfile::tempdir().unwrap();
    let path = write(folder.path(), "short.png", &png_claiming(2_000, 2_000));
    problem(&path);
}

#[test]
fn limits_on_pixels_and_bytes_are_kept() {
    let png = fs::read(fixtures().join("rgb.png")).unwrap();
    let decode = |max_pixels, max_bytes| {
        Image::decode_within(
            &png,
            &Limits {
                max_pixels,
                max_bytes,
                ..Limits::default()
            },
        )
    };
    assert!(decode(63, 1 << 20).is_ok());
    let error = |result: vision_data::Result<Image>| match result {
        Err(Error::Image(ImageError::Decode { problem, .. })) => problem,
        other => panic!("{other:?}"),
    };
    assert!(matches!(
        error(decode(62, 1 << 20)),
        ImageProblem::TooManyPixels { .. }
    ));
    assert!(matches!(
        error(decode(63, 100)),
        ImageProblem::TooManyBytes { limit: 100 }
    ));
}

#[test]
fn a_tiff_of_an_unusual_kind_is_told_what_to_convert_it_to() {
    // Photometric interpretation, bits a channel, sample format: TIFF 6.0 and its supplements.
    let (uint, float) = (1, 3);
    let kinds: [(&str, u16, &[u16], u16); 7] = [
        ("RGB in 32-bit floats", 2, &[32; 3], float),
        ("RGB in 12 bits", 2, &[12; 3], uint),
        ("gray in 64-bit floats", 1, &[64], float),
        ("signed RGB", 2, &[8; 3], 2),
        ("CIE L*a*b* in 16 bits", 8, &[16; 3], uint),
        ("a camera's raw image", 32803, &[16], uint),
        ("a mask", 4, &[1], uint),
    ];
    let folder = tempfile::tempdir().unwrap();
    for (kind, photometric, bits, format) in kinds {
        let path = write(folder.path(), "odd.tif", &tiff(photometric, bits, format));
        let found = problem(&path);
        assert!(
            matches!(found, ImageProblem::Unsupported(_)),
            "{kind}: {found}"
        );
        let text = found.to_string();
        assert!(
            text.contains("convert it to RGB or gray with 8 bits"),
            "{kind}: {text}"
        );
    }
    // What differs from an image that is read is the kind.
    let path = write(folder.path(), "plain.tif", &tiff(2, &[8; 3], uint));
    assert_eq!(Image::open(path).unwrap().width(), 4);
}

/// An image of 4 by 4 pixels in one strip, all bits 0.
fn tiff(photometric: u16, bits: &[u16], format: u16) -> Vec<u8> {
    let channels = bits.len() as u32;
    let strip = 4 * bits.iter().map(|&bits| 4 * u32::from(bits)).sum::<u32>() / 8;
    let (bits_at, directory) = (8, 8 + 2 * channels);
    // One number stands in the entry itself.
    let bits_or_place = match bits {
        [one] => u32::from(*one),
        _ => bits_at,
    };
    let mut entries = vec![
        (256, 1, 4),
        (257, 1, 4),
        (258, channels, bits_or_place),
        (259, 1, 1),
        (262, 1, u32::from(photometric)),
        (273, 1, 0),
        (277, 1, channels),
        (278, 1, 4),
        (279, 1, strip),
        (339, 1, u32::from(format)),
    ];
    if channels > 4 {
        // The fifth is alpha.
        entries.insert(9, (338, 1, 2));
    }
    let data = directory + 2 + 12 * entries.len() as u32 + 4;
    entries[5].2 = data;
    let mut tiff = b"II*\0".to_vec();
    tiff.extend_from_slice(&directory.to_le_bytes());
    tiff.extend(bits.iter().flat_map(|bits| bits.to_le_bytes()));
    tiff.extend_from_slice(&(entries.len() as u16).to_le_bytes());
    for (tag, count, value) in entries {
        let kind: u16 = if matches!(tag, 273 | 279) { 4 } else { 3 };
        tiff.extend_from_slice(&u16::to_le_bytes(tag));
        tiff.extend_from_slice(&kind.to_le_bytes());
        tiff.extend_from_slice(&u32::to_le_bytes(count));
        tiff.extend_from_slice(&u32::to_le_bytes(value));
    }
    tiff.resize((data + strip) as usize, 0);
    tiff
}

#[test]
fn damaged_bytes_never_panic() {
    // Each byte of each file in turn, with all bits flipped.
    for name in expected().keys() {
        let whole = fs::read(fixtures().join(name)).unwrap();
        let step = (whole.len() / 150).max(1);
        for at in (0..whole.len()).step_by(step) {
            let mut damaged = whole.clone();
            damaged[at] = !damaged[at];
            let _ = Image::decode_within(
                &damaged,
                &Limits {
                    max_pixels: 100_000,
                    ..Limits::default()
                },
            );
        }
    }
}

#[test]
fn what_is_no_regular_file_is_not_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("folder.png");
    fs::create_dir(&path).unwrap();
    assert!(matches!(problem(&path), ImageProblem::Unreadable(_)));
    assert!(matches!(
        problem(&folder.path().join("none.png")),
        ImageProblem::Unreadable(_)
    ));
}

#[test]
fn pixels_of_the_wrong_number_are_refused() {
    for (count, width, height) in [(11, 2, 2), (13, 2, 2), (0, 1, 1)] {
        let error = Image::from_rgb8(width, height, vec![0; count]).unwrap_err();
        assert!(
            matches!(error, Error::Image(ImageError::PixelCount { found, .. }) if found == count as u64)
        );
    }
    // 3 · width · height does not fit into 64 bits.
    let side = u32::MAX;
    assert!(Image::from_rgb8(side, side, Vec::new()).is_err());
    assert!(Image::from_rgb8(0, 5, Vec::new()).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn any_damage_ends_in_pixels_within_the_limits_or_in_an_error(
        which: prop::sample::Index,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
        cut: prop::sample::Index,
        whole: bool,
    ) {
        let names: Vec<String> = expected().keys().cloned().collect();
        let mut bytes = fs::read(fixtures().join(which.get(&names))).unwrap();
        for (place, value) in changes {
            let place = place.index(bytes.len());
            bytes[place] = value;
        }
        if !whole {
            bytes.truncate(cut.index(bytes.len()));
        }
        let limits = Limits { max_pixels: 10_000, max_bytes: 1 << 20, ..Limits::default() };
        match Image::decode_within(&bytes, &limits) {
            Ok(image) => prop_assert!(u64::from(image.width()) * u64::from(image.height()) <= 10_000),
            Err(Error::Image(ImageError::Decode { .. })) => {}
            Err(other) => prop_assert!(false, "{other}"),
        }
    }
}

/// A PNG with a header, one almost empty chunk of pixels and a trailer.
fn png_claiming(width: u32, height: u32) -> Vec<u8> {
    let mut header = Vec::new();
    header.extend_from_slice(&width.to_be_bytes());
    header.extend_from_slice(&height.to_be_bytes());
    header.extend_from_slice(&[8, 2, 0, 0, 0]);
    let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
    for (kind, data) in [
        (b"IHDR", header.as_slice()),
        (b"IDAT", &[0x78, 0x9c, 0x03, 0x00, 0x00, 0x00, 0x00, 0x01]),
        (b"IEND", &[]),
    ] {
        png.extend_from_slice(&(data.len() as u32).to_be_bytes());
        png.extend_from_slice(kind);
        png.extend_from_slice(data);
        png.extend_from_slice(&crc32(kind, data).to_be_bytes());
    }
    png
}

fn crc32(kind: &[u8], data: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in kind.iter().chain(data) {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0xEDB8_8320 & (crc & 1).wrapping_neg());
        }
    }
    !crc
}
