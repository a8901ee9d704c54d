//! How long drawing takes. Alone in this file, since other tests would take the processors meanwhile.

#![allow(clippy::unwrap_used)]

use std::time::{Duration, Instant};

use vision_data::datasets::synthetic;

#[test]
fn thousands_are_drawn_in_seconds() {
    let folder = tempfile::tempdir().unwrap();
    let start = Instant::now();
    synthetic::digits(&folder.path().join("digits"), 1, 1_000, 1).unwrap();
    let elapsed = start.elapsed();
    println!("2,002 digits in {elapsed:?}");
    assert!(elapsed < Duration::from_secs(5));
}
