//! An index file with two valid shards.
#![no_main]
use std::{fs, sync::Once};

const SHARD: &[u8] = include_bytes!("../../crates/vision-models/tests/fixtures/weights/plain.safetensors");

libfuzzer_sys::fuzz_target!(|index: &[u8]| {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        for name in ["a.safetensors", "b.safetensors"] {
            let _ = fs::write(vision_fuzz::folder().join(name), SHARD);
        }
    });
    vision_fuzz::read("fuzzed.safetensors.index.json", index);
});
