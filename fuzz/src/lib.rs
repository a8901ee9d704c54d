//! The weights readers of `vision-models`, compiled from their own sources without Burn. With Burn's dependencies,
//! a build with a fuzzer's instrumentation takes half an hour.
#![allow(dead_code, private_interfaces, unreachable_pub, unused_imports)]

#[path = "../../crates/vision-models/src/error.rs"]
mod error;
pub use error::{Error, Result};

pub mod export;

/// The part of `vision_models::layers` that the readers use.
pub mod layers {
    pub struct Sequential;
}

/// The part of `vision_models::state` that the readers use.
pub mod state {
    pub struct Entry {
        pub name: String,
        pub shape: Vec<usize>,
    }

    pub fn entries(_model: &crate::layers::Sequential) -> Vec<Entry> {
        Vec::new()
    }

    pub struct NamedTensor {
        pub name: String,
        pub shape: Vec<usize>,
        pub values: Vec<f32>,
    }
}

pub mod weights;

use std::{fs, path::Path, sync::OnceLock};

/// A temporary folder of this process.
pub fn folder() -> &'static Path {
    static FOLDER: OnceLock<std::path::PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let shm = Path::new("/dev/shm");
        let root = if shm.is_dir() { shm.to_owned() } else { std::env::temp_dir() };
        let folder = root.join(format!("vision-fuzz-{}", std::process::id()));
        let _ = fs::create_dir_all(&folder);
        folder
    })
}

/// Writes a file and reads all of it as weights, with each way of selecting a set in it. Every panic is a finding,
/// even if the reader caught it.
pub fn read(name: &str, bytes: &[u8]) {
    let path = folder().join(name);
    if fs::write(&path, bytes).is_err() {
        return;
    }
    let source = || weights::WeightsSource::new(&path);
    if !examine(source()) {
        return;
    }
    for source in [source().averaged(), source().key("model"), source().prefix("module")] {
        examine(source);
    }
}

/// Reads the selected weights. Returns whether the file could be opened.
fn examine(source: weights::WeightsSource) -> bool {
    let seal = weights::check_seal(source.path()).map(drop);
    let file = weights::WeightsFile::open(source);
    let opened = file.is_ok();
    let result = file.and_then(|file| {
        let entries = [("conv.weight", &[3, 2, 2, 2][..]), ("bn.bias", &[3]), ("fc.weight", &[2, 3]), ("0.0.weight", &[2]), ("a.qkv.weight", &[6, 2])];
        let wanted = weights::Wanted::new(entries);
        let wanted = wanted.with_children(&["conv", "bn", "fc", "a"]).with_body(&["conv", "bn", "a"]);
        let file = file.matched(&wanted)?;
        let report = weights::LoadReport::compare(&file, &wanted);
        assert!(report.to_string().len() < 8000, "{report}");
        report.require_complete().err().inspect(|error| assert!(error.to_string().len() < 8000, "{error}"));
        file.names().try_for_each(|name| file.read_f32(name).map(drop))
    });
    for error in [seal, result].into_iter().filter_map(Result::err) {
        let text = error.to_string();
        assert!(!text.contains("its reader failed"), "{text}");
        assert!(text.len() < 4000, "{text}");
    }
    opened
}
