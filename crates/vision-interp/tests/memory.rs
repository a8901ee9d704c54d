//! A program of its own, so that no other test allocates in the same process.
#![allow(clippy::unwrap_used)]
#![cfg(target_os = "linux")]

use vision_interp::ConfusionMatrix;

/// The peak memory of the process so far, in KiB.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .unwrap();
    line.trim().trim_end_matches("kB").trim().parse().unwrap()
}

#[test]
fn memory_of_counting_does_not_grow_with_the_number_of_items() {
    let mut matrix = ConfusionMatrix::new((0..100).map(|class| class.to_string()));
    matrix.add(0, 0).unwrap();
    let before = peak();
    for item in 0..1_000_000 {
        matrix.add(item % 100, item * 7 % 100).unwrap();
    }
    // One byte per item would be 976 KiB.
    assert!(peak() - before < 500, "{} KiB", peak() - before);
    assert_eq!(matrix.total(), 1_000_001);
}
