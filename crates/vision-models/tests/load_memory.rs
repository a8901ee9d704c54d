//! How much memory a load takes. It measures the whole process, so it is the only test of its file.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![cfg(target_os = "linux")]

use std::fs;
use std::io::Write;
use std::path::Path;

use vision_models::weights::{self, WeightsFile};
use vision_models::{Arch, Init, state};

/// A line of `/proc/self/status` in bytes.
fn memory(field: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let mut lines = status.lines();
    let line = lines.find(|line| line.starts_with(field)).unwrap();
    line.split_whitespace()
        .nth(1)
        .unwrap()
        .parse::<u64>()
        .unwrap()
        << 10
}

/// A safetensors file of zeros with the architecture's names and shapes, whose values are never in memory.
fn zeros(arch: Arch, path: &Path) -> u64 {
    let model = arch.build(1000, &mut Init::zeroed(&vision_models::test_device()));
    let mut offset = 0;
    let mut header = serde_json::Map::new();
    for entry in state::entries(&model) {
        let end = offset + 4 * entry.len();
        let info = serde_json::json!({
            "dtype": "F32", "shape": entry.shape, "data_offsets": [offset, end],
        });
        header.insert(entry.name, info);
        offset = end;
    }
    let header = serde_json::to_vec(&header).unwrap();
    let mut file = fs::File::create(path).unwrap();
    file.write_all(&(header.len() as u64).to_le_bytes())
        .unwrap();
    file.write_all(&header).unwrap();
    let len = (8 + header.len() + offset) as u64;
    file.set_len(len).unwrap();
    len
}

#[test]
fn a_load_holds_at_most_twice_the_size_of_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("zeros.safetensors");
    let size = zeros(Arch::ResNet50, &path);
    let before = memory("VmRSS");
    let model = Arch::ResNet50.build(1000, &mut Init::zeroed(&vision_models::test_device()));
    let file = WeightsFile::open(&path).unwrap();
    let (model, report) = weights::load_into(model, &file).unwrap();
    report.require_complete().unwrap();
    let most = memory("VmHWM") - before;
    println!("{:.2} times the file", most as f64 / size as f64);
    assert!(most <= 2 * size, "{most} bytes for a file of {size}");
    // All of it is there, or the figure would mean nothing.
    assert!(most >= size / 2, "{most} bytes for a file of {size}");
    drop(model);
}
