//! What the tests of hostile files have in common.

#![allow(unreachable_pub)]

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use vision_models::Error;
use vision_models::weights::{Wanted, WeightsFile};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// A reader may take this long over a bad file, of the processor's time: ten times what any of them takes, since
/// it only guards against work without an end.
pub const PATIENCE: Duration = Duration::from_secs(5);
/// No bad file may bring the whole test program, with its threads, over this.
pub const MEMORY: u64 = 1 << 30;

/// A character that a message must not hold, since terminals obey it.
pub fn control(c: char) -> bool {
    c.is_control() && c != '\n'
}

pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/weights")
        .join(name)
}

/// Opens a file and reads all of it, one tensor after the other.
pub fn read(path: &Path) -> Result<Vec<Vec<f32>>, Error> {
    let file = WeightsFile::open(path)?;
    // Looking for a model in it may end in an error too, but never in a panic.
    let shape: &[usize] = &[3];
    let names = ["conv.weight", "conv.bias", "bn.bias", "fc.weight"];
    let wanted = Wanted::new(names.map(|name| (name, shape)));
    if let Err(error) = file.matched(&wanted.with_children(&["conv", "bn", "fc"])) {
        assert!(matches!(error, Error::SeveralSets { .. }), "{error}");
    }
    file.names().map(|name| file.read_f32(name)).collect()
}

/// Time that this thread was given a processor: a busy machine does not lengthen it. Zero where the system does
/// not tell.
pub fn clock() -> Duration {
    let text = fs::read_to_string("/proc/thread-self/schedstat").ok();
    let nanoseconds = text.and_then(|t| t.split(' ').next()?.parse().ok());
    Duration::from_nanos(nanoseconds.unwrap_or(0))
}

/// The most memory that this process ever held, where the system tells.
pub fn peak_memory() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM"))?;
    let kibibytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kibibytes * 1024)
}

/// A zip archive of these entries.
pub fn archive(method: CompressionMethod, entries: &[(&str, &[u8])]) -> Vec<u8> {
    let options = SimpleFileOptions::default().compression_method(method);
    let mut zip = ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, bytes) in entries {
        zip.start_file(*name, options).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}
