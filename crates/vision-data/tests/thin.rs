//! A picture of one row and thousands of columns is resized until its row is as high as wanted, which
//! makes it a million columns long: only those that are seen are made.
//! Alone in this file, since it measures the whole process.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::time::{Duration, Instant};

use vision_data::{Image, PaddingMode, Pipeline, Resizing, Transform};

/// The most memory that this process has had so far, in bytes; none where the system does not say.
fn peak_memory() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM"))?;
    Some(line.split_whitespace().nth(1)?.parse::<u64>().ok()? << 10)
}

#[test]
fn a_thin_picture_takes_no_more_memory_or_time_than_another_whatever_is_painted_on_it() {
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
    if peak_memory().is_none() {
        println!("this system does not say how much memory was taken: only time is looked at");
    }
    let (before, begin) = (peak_memory(), Instant::now());
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
    // The whole of it would be 4,480,000 by 224 pixels: 12 GB, and a minute for each list.
    assert!(begin.elapsed() < Duration::from_secs(5));
    if let (Some(before), Some(after)) = (before, peak_memory()) {
        let grown = after - before;
        assert!(grown < 32 << 20, "{grown} bytes");
    }
}
