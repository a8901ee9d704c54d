//! Many workers that decode large images at once keep to the memory that they share. Alone in this file, since
//! it measures the whole process.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![cfg(target_os = "linux")]

use std::fs;
use std::path::Path;

use vision_data::inspect::{VerifyConfig, verify_images};
use vision_data::{BadImages, DatasetType, Error, ImageDataBunch, Limits, ReadConfig, Split};

/// The most memory that this process has had so far, in bytes.
fn peak_memory() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmHWM"))
        .unwrap();
    let kilobytes = line.split_whitespace().nth(1).unwrap();
    kilobytes.parse::<u64>().unwrap() << 10
}

/// A folder of copies of one file, in two classes.
fn copies(folder: &Path, bytes: &[u8], count: usize) {
    for number in 0..count {
        let class = folder.join(["a", "b"][number % 2]);
        fs::create_dir_all(&class).unwrap();
        fs::write(class.join(format!("{number}.webp")), bytes).unwrap();
    }
}

fn load_all(folder: &Path, workers: usize, reading: ReadConfig) -> usize {
    let data = ImageDataBunch::from_folder(folder)
        .split(Split::None)
        .size(32)
        .batch_size(1)
        .num_workers(workers)
        .bad_images(BadImages::Fail)
        .reading(reading)
        .build()
        .unwrap();
    let loader = data.loader(DatasetType::Fix, 0).unwrap();
    loader.map(|batch| batch.unwrap().len()).sum()
}

// One test, so that nothing else takes memory meanwhile.
#[test]
fn no_number_of_workers_takes_more_than_the_decoders_may() {
    let start = peak_memory();
    // 4096 by 4096 pixels in a few bytes; a decoder needs 112 MiB, and 16 of them 1.8 GB.
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/bombs");
    let bytes = fs::read(fixtures.join("webp.webp")).unwrap();
    let limits = Limits {
        max_memory: 256 << 20,
        ..Limits::default()
    };
    let reading = || ReadConfig::new().with_limits(limits).with_memory(0);
    let folder = tempfile::tempdir().unwrap();
    copies(folder.path(), &bytes, 20);
    for workers in [8, 16] {
        assert_eq!(load_all(folder.path(), workers, reading()), 20);
        let grown = peak_memory() - start;
        assert!(
            grown < limits.max_memory + (64 << 20),
            "{workers} workers: {grown} bytes"
        );
    }
    // The same images reduced when they are read, kept in a cache, and checked.
    let cache = tempfile::tempdir().unwrap();
    for config in [
        reading().with_short_side(64),
        reading().with_disk_cache(cache.path()),
        reading().with_disk_cache(cache.path()),
    ] {
        assert_eq!(load_all(folder.path(), 8, config), 20);
    }
    let config = VerifyConfig::new().with_limits(limits);
    assert_eq!(
        verify_images(folder.path(), &config)
            .unwrap()
            .unreadable
            .len(),
        0
    );
    let grown = peak_memory() - start;
    assert!(grown < limits.max_memory + (96 << 20), "{grown} bytes");

    // By default: 34 bytes that stand for 16129 by 8704 pixels, of which a decoder needs 940 MiB, so that each is
    // decoded alone, and what is kept in memory.
    let huge =
        b"RIFF\x1a\0\0\0WEBPVP8L\x0e\0\0\0\x2f\0\xff\x7f\x08\x07\x10\x11\xfd\x0f\x44\x44\xff\x03";
    let folder = tempfile::tempdir().unwrap();
    copies(folder.path(), huge, 4);
    assert_eq!(load_all(folder.path(), 4, ReadConfig::new()), 4);
    assert!(peak_memory() < 2 << 30, "{} bytes", peak_memory());

    // A budget that makes no sense is an error that names it.
    for max_memory in [0, 1000, u64::MAX] {
        let limits = Limits {
            max_memory,
            ..Limits::default()
        };
        let data = ImageDataBunch::from_folder(folder.path()).split(Split::None);
        let error = data
            .reading(ReadConfig::new().with_limits(limits))
            .build()
            .unwrap_err();
        assert!(matches!(error, Error::Option(_)), "{error}");
        assert!(error.to_string().contains("max_memory"), "{error}");
    }
}
