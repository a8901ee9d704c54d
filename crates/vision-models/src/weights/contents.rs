//! Shared by the format readers: the content of a file, and errors.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use vision_base::message::listed;

use crate::export::proto::Node;
use crate::{Error, Result};

/// The largest file that is opened: 8 GiB.
pub const MAX_FILE_BYTES: u64 = 8 << 30;

/// Reads the bytes of one tensor, row-major and in the byte order of this machine.
pub(super) type ReadBytes = Arc<dyn Fn() -> io::Result<Vec<u8>> + Send + Sync>;

/// One tensor of a file.
#[derive(Clone)]
pub(super) struct Stored {
    pub(super) shape: Vec<usize>,
    pub(super) dtype: Dtype,
    pub(super) read: ReadBytes,
    /// Its location, since a file may have the same values under two names.
    pub(super) place: Option<(Arc<str>, u64)>,
}

/// The content of a file, as found by the reader of its format.
#[derive(Default)]
pub(super) struct Contents {
    pub(super) tensors: BTreeMap<String, Stored>,
    pub(super) metadata: BTreeMap<String, String>,
    /// Notes for the user on how the tensors were found.
    pub(super) notes: Vec<String>,
    /// Objects whose values cannot be read: location and class.
    pub(super) foreign: Vec<(String, String)>,
    /// How the tensors are used; only for ONNX.
    pub(super) graph: Option<Graph>,
}

/// The type of a tensor's values.
#[derive(Clone, PartialEq)]
pub(super) enum Dtype {
    F16,
    Bf16,
    F32,
    F64,
    /// Anything else, by name.
    Other(String),
}

impl Dtype {
    pub(super) fn is_float(&self) -> bool {
        !matches!(self, Self::Other(_))
    }

    pub(super) fn to_f32(&self, bytes: &[u8]) -> Vec<f32> {
        fn each<const N: usize>(bytes: &[u8], convert: impl Fn([u8; N]) -> f32) -> Vec<f32> {
            bytes.as_chunks().0.iter().map(|&v| convert(v)).collect()
        }
        match self {
            Self::F16 => each(bytes, |v| half::f16::from_ne_bytes(v).to_f32()),
            Self::Bf16 => each(bytes, |v| half::bf16::from_ne_bytes(v).to_f32()),
            Self::F32 => each(bytes, f32::from_ne_bytes),
            Self::F64 => each(bytes, |v| f64::from_ne_bytes(v) as f32),
            Self::Other(_) => Vec::new(),
        }
    }
}

/// The nodes of a graph, in topological order.
#[derive(Debug, Default)]
pub(super) struct Graph {
    pub(super) nodes: Vec<Node>,
}

/// Opens a file and returns its size. Only regular files: a named pipe would wait for a writer, a
/// device may never end.
pub(super) fn open_regular(path: &Path) -> Result<(File, u64)> {
    let metadata = fs::metadata(path).map_err(|source| io_error(path, source))?;
    if metadata.is_dir() {
        return Err(not_weights(path, describe_folder(path)));
    }
    if !metadata.is_file() {
        return Err(not_weights(path, "it is not a regular file"));
    }
    let len = metadata.len();
    if len > MAX_FILE_BYTES {
        return Err(Error::WeightsTooLarge {
            path: path.to_owned(),
            found: len,
            limit: MAX_FILE_BYTES,
        });
    }
    let file = File::open(path).map_err(|source| io_error(path, source))?;
    Ok((file, len))
}

/// Lists what could be opened instead of a folder.
fn describe_folder(path: &Path) -> String {
    let names = fs::read_dir(path).into_iter().flatten().flatten();
    let mut names: Vec<String> = names
        .take(1000)
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    let has = |name: &str| names.iter().any(|n| n == name);
    if has("saved_model.pb") {
        return "it is the folder of a TensorFlow model, which has other names and layouts"
            .to_owned();
    }
    if has("data.pkl") {
        return "it is the folder of an unpacked PyTorch file; use the file itself".to_owned();
    }
    if has(".metadata") && names.iter().any(|name| name.ends_with(".distcp")) {
        return "it is a folder of torch.distributed.checkpoint; convert it: python -m \
                torch.distributed.checkpoint.format_utils dcp_to_torch FOLDER weights.pth"
            .to_owned();
    }
    let ends = [
        "safetensors",
        "safetensors.index.json",
        "pth",
        "pt",
        "bin",
        "ckpt",
        "onnx",
    ];
    let files = names.iter().filter(|name| {
        name.split_once('.').is_some() && ends.iter().any(|end| name.ends_with(&format!(".{end}")))
    });
    let files: Vec<&String> = files.collect();
    match files.is_empty() {
        true => "it is a folder".to_owned(),
        false => format!(
            "it is a folder; name one of its files: {}",
            listed(files.iter())
        ),
    }
}

/// Runs third-party code on untrusted data; a panic becomes an error about the file.
pub(super) fn catch<T>(path: &Path, f: impl FnOnce() -> T) -> Result<T> {
    catch_unwind(AssertUnwindSafe(f)).map_err(|_| bad(path, "its reader failed"))
}

pub(super) fn bad(path: &Path, reason: impl Into<String>) -> Error {
    Error::BadWeights {
        path: path.to_owned(),
        reason: shortened(reason.into()),
    }
}

/// Shortens and escapes a reason. It may quote the file, so it can be very long, or contain
/// terminal control sequences.
fn shortened(reason: impl AsRef<str>) -> String {
    let mut reason = vision_base::message::shown(reason.as_ref());
    if let Some((end, _)) = reason.char_indices().nth(400) {
        reason.truncate(end);
        reason.push_str("..");
    }
    reason
}

/// A read error: an I/O error if the system gave an error number, otherwise a bad file.
pub(super) fn read_error(path: &Path, source: io::Error) -> Error {
    match source.raw_os_error() {
        None => bad(path, source.to_string()),
        Some(_) => io_error(path, source),
    }
}

pub(super) fn io_error(path: &Path, source: io::Error) -> Error {
    vision_base::io_error("read", path)(source).into()
}

pub(super) fn not_weights(path: &Path, reason: impl Into<String>) -> Error {
    Error::NotWeights {
        path: path.to_owned(),
        reason: shortened(reason.into()),
    }
}
