//! The pickle in a valid zip archive with two storages.
#![no_main]
use std::io::{Cursor, Write};

use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

libfuzzer_sys::fuzz_target!(|pickle: &[u8]| {
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in [("a/data.pkl", pickle), ("a/data/0", &[0x3f; 96]), ("a/data/1", &[0x3f; 12])] {
        if zip.start_file(name, options).is_err() || zip.write_all(bytes).is_err() {
            return;
        }
    }
    if let Ok(file) = zip.finish() {
        vision_fuzz::read("fuzzed.pth", file.get_ref());
    }
});
