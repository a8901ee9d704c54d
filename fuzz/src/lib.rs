//! The weights readers of `vision-models`, compiled from their own sources without Burn. With Burn's dependencies,
//! a build with a fuzzer's instrumentation takes half an hour.
#![allow(dead_code, unreachable_pub, unused_imports)]

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

/// Writes a file and reads all of it as weights. Every panic is a finding, even if the reader caught it.
pub fn read(name: &str, bytes: &[u8]) {
    let path = folder().join(name);
    if fs::write(&path, bytes).is_err() {
        return;
    }
    let result = weights::WeightsFile::open(&path).and_then(|file| {
        let entries = [("conv.weight", &[3, 2, 2, 2][..]), ("bn.bias", &[3]), ("fc.weight", &[2, 3])];
        let wanted = weights::Wanted::new(entries).with_children(&["conv", "bn", "fc"]);
        let file = file.matched(&wanted)?;
        file.names().try_for_each(|name| file.read_f32(name).map(drop))
    });
    if let Err(error) = result {
        let text = error.to_string();
        assert!(!text.contains("its reader failed"), "{text}");
        assert!(text.len() < 4000, "{text}");
    }
}
