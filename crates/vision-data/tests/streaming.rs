//! Memory while images stream by. Alone in this file, since it measures the whole process.

#![allow(clippy::unwrap_used)]
#![cfg(target_os = "linux")]

use std::fs;

use vision_data::datasets::synthetic;
use vision_data::{DatasetType, ImageDataBunch, ReadConfig};

/// The most memory that this process ever had, in KiB.
fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let mut lines = status.lines();
    let line = lines.find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// 10,000 images by default; `STREAM_IMAGES=100000` for more.
#[test]
fn memory_is_flat_however_many_images_stream_by() {
    let images: usize = std::env::var("STREAM_IMAGES")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(10_000);
    let folder = tempfile::tempdir().unwrap();
    let path = synthetic::digits(&folder.path().join("digits"), 1, 250, 10).unwrap();
    let data = ImageDataBunch::from_folder(path)
        .batch_size(50)
        .num_workers(2)
        // Nothing decoded is kept, as in a set that is larger than memory.
        .reading(ReadConfig::new().with_memory(0))
        .build()
        .unwrap();
    let epoch = |epoch: u64| {
        let mut seen = 0;
        for batch in data.loader(DatasetType::Train, epoch).unwrap() {
            seen += batch.unwrap().len();
        }
        assert_eq!(seen, 500);
    };
    (0..2).for_each(epoch);
    let before = peak();
    let epochs = images as u64 / 500;
    (2..2 + epochs).for_each(epoch);
    let grown = peak() - before;
    // All of 10,000 images would take 22 MiB as bytes; the allocator may still settle.
    println!("{} images: {grown} KiB more than after 1,000", epochs * 500);
    assert!(grown < 4 << 10, "{grown} KiB more after {epochs} epochs");
}
