//! Small files that unpack to large images, made by `scripts/make_bomb_fixtures.py`, meet the limits
//! before they take memory. Alone in this file, since it measures the whole process.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![cfg(target_os = "linux")]

use std::fs;
use std::path::Path;

use vision_data::{Error, Image, ImageError, ImageProblem, Limits};

/// A million pixels, 16 MiB.
const LIMITS: Limits = Limits {
    max_pixels: 1_000_000,
    max_bytes: 16 << 20,
    max_memory: 768 << 20,
};

/// The most memory that this process has had so far, in bytes.
fn peak_memory() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let mut lines = status.lines();
    let line = lines.find(|line| line.starts_with("VmHWM")).unwrap();
    line.split_whitespace()
        .nth(1)
        .unwrap()
        .parse::<u64>()
        .unwrap()
        << 10
}

// One test, so that nothing else takes memory meanwhile.
#[test]
fn no_bomb_takes_more_memory_than_its_limits_allow() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/bombs");
    let files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|file| file.unwrap().path())
        .collect();
    assert_eq!(files.len(), 11);
    for file in files {
        let bytes = fs::read(&file).unwrap();
        let name = file.file_name().unwrap().to_str().unwrap();
        let before = peak_memory();
        let result = Image::decode_within(&bytes, &LIMITS);
        // What the decoder was granted, and the copy as red, green and blue.
        let grown = peak_memory() - before;
        assert!(
            grown <= 2 * LIMITS.max_bytes + (8 << 20),
            "{name}: {grown} bytes"
        );
        match result {
            // Its own pixel is innocent.
            Ok(image) => assert_eq!((name, image.width()), ("text.png", 1)),
            Err(Error::Image(ImageError::Decode { problem, .. })) => {
                let expected = matches!(
                    problem,
                    ImageProblem::TooManyPixels { .. } | ImageProblem::TooManyBytes { .. }
                );
                // The frame that does not fit its screen is an error of the format.
                let damaged = matches!(problem, ImageProblem::Damaged(_));
                assert!(
                    expected || (damaged && name == "frame.gif"),
                    "{name}: {problem}"
                );
            }
            Err(other) => panic!("{name}: {other}"),
        }
    }
}
