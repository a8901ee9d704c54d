//! Large tables. `cargo test --workspace --test million -- --nocapture` prints the figures. Alone in this file,
//! since it measures the whole process.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![cfg(target_os = "linux")]

use std::fmt::Write as _;
use std::fs;
use std::time::Instant;

use vision_data::ImageDataBunch;

/// The bytes in memory now.
fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let mut lines = status.lines();
    let line = lines.find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace()
        .nth(1)
        .unwrap()
        .parse::<u64>()
        .unwrap()
        << 10
}

#[test]
fn two_million_rows_are_read_split_and_labeled_in_little_memory() {
    const ROWS: usize = 2_000_000;
    let folder = tempfile::tempdir().unwrap();
    let mut csv = "name,label\n".to_owned();
    for row in 0..ROWS {
        writeln!(
            csv,
            "train/{:03}/image_{row:07}.jpg,class {}",
            row % 1000,
            row % 1000
        )
        .unwrap();
    }
    fs::write(folder.path().join("labels.csv"), &csv).unwrap();
    drop(csv);

    let before = resident();
    let begin = Instant::now();
    // The files are not there: looking for each is what the system takes, not this crate.
    let data = ImageDataBunch::from_csv(folder.path())
        .no_check()
        .build()
        .unwrap();
    let taken = begin.elapsed();
    let bytes = resident().saturating_sub(before) / ROWS as u64;
    println!(
        "{ROWS} rows: {:.2} s, {bytes} bytes in memory for each afterwards",
        taken.as_secs_f64()
    );
    assert_eq!(data.train_ds().len() + data.valid_ds().len(), ROWS);
    assert_eq!((data.valid_ds().len(), data.c()), (400_000, 1000));
    // A path of 26 characters and its class; time is printed, since no limit holds on a busy machine.
    assert!(bytes < 256, "{bytes} bytes a row");

    let begin = Instant::now();
    let file = data.save("data.json").unwrap();
    let saved = begin.elapsed();
    let builder = ImageDataBunch::load(folder.path(), "data.json").unwrap();
    let same = builder.no_check().build().unwrap();
    let loaded = begin.elapsed() - saved;
    println!(
        "saved: {:.2} s, {} bytes a row; loaded: {:.2} s",
        saved.as_secs_f64(),
        fs::metadata(file).unwrap().len() / ROWS as u64,
        loaded.as_secs_f64()
    );
    assert_eq!(same.train_ds().paths(), data.train_ds().paths());
    assert_eq!(same.train_ds().labels(), data.train_ds().labels());
}
