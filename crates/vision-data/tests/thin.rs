//! An image of one row and thousands of columns is resized until its row is as high as wanted, which
//! makes it a million columns long: only those that are seen are made.
//! Alone in this file, since it measures the whole process.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![cfg(target_os = "linux")]

use std::fs;

use vision_data::{Image, PaddingMode, Pipeline, Resizing, Transform};

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

#[test]
fn a_thin_image_takes_no_more_memory_than_another_whatever_is_painted_on_it() {
    let image = Image::from_rgb8(20_000, 1, vec![200; 60_000]).unwrap();
    let paints = [
        vec![Transform::cutout(1, 40)],
        vec![Transform::cutout(0, 0)],
        vec![Transform::rgb_randomize()],
        vec![Transform::dihedral(), Transform::cutout(9, 16_384)],
        vec![
            Transform::rgb_randomize(),
            Transform::flip_lr(),
            Transform::cutout(2, 8),
        ],
        vec![
            Transform::pad(4, PaddingMode::Reflection),
            Transform::cutout(1, 40),
        ],
        vec![
            Transform::rotate([-10.0, 10.0]),
            Transform::jitter(0.01),
            Transform::brightness([0.3, 0.7]),
            Transform::rgb_randomize(),
        ],
    ];
    let before = peak_memory();
    for paint in paints {
        let transforms = [paint, vec![Transform::rand_crop()]].concat();
        let resizing = Resizing {
            size: Some(224.into()),
            ..Resizing::default()
        };
        let pipeline = Pipeline::new(&transforms, resizing).unwrap();
        let made = pipeline.image(&image, &pipeline.draw(1, 0, 0)).unwrap();
        assert_eq!(made.shape(), [1, 3, 224, 224]);
    }
    // The whole of it would be 4,480,000 by 224 pixels, 12 GB: who does not take that has not made them.
    let grown = peak_memory() - before;
    assert!(grown < 32 << 20, "{grown} bytes");
}
