//! safetensors in several files: `model.safetensors.index.json` names the file of each tensor.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Component, Path};

use serde::Deserialize;
use vision_base::IoError;

use super::contents::{Contents, bad, not_weights, open_regular, read_error};
use super::safetensors::{self, looks_like_safetensors};
use crate::{Error, Result};

/// Enough for 40,000 tensors.
const MAX_INDEX_BYTES: u64 = 4 << 20;
/// All shards stay open as long as the file does.
const MAX_SHARDS: usize = 256;

/// The relevant part of the index.
#[derive(Deserialize)]
struct Index {
    /// The file of each tensor, by tensor name.
    weight_map: BTreeMap<String, String>,
}

/// JSON at the position where safetensors has a length.
pub(super) fn looks_like_index(head: &[u8]) -> bool {
    head.trim_ascii_start().starts_with(b"{")
}

/// Reads an index of `len` bytes and the headers of the files that it names, which are in the same
/// folder.
pub(super) fn open(path: &Path, mut file: File, len: u64) -> Result<Contents> {
    if len > MAX_INDEX_BYTES {
        let reason = format!("as an index it has {len} bytes, over the limit of {MAX_INDEX_BYTES}");
        return Err(bad(path, reason));
    }
    let mut json = Vec::new();
    let read = file.seek(SeekFrom::Start(0));
    read.and_then(|_| file.take(MAX_INDEX_BYTES).read_to_end(&mut json))
        .map_err(|e| read_error(path, e))?;
    let index: Index = serde_json::from_slice(&json).map_err(|e| {
        not_weights(
            path,
            format!("it is JSON, but not an index of safetensors files: {e}"),
        )
    })?;

    let mut shards: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, shard) in &index.weight_map {
        shards.entry(shard).or_default().push(name);
    }
    if shards.len() > MAX_SHARDS {
        let reason = format!(
            "it names {} shards, over the limit of {MAX_SHARDS}",
            shards.len()
        );
        return Err(bad(path, reason));
    }
    let mut contents = Contents::default();
    let mut ignored = 0;
    for (&shard, names) in &shards {
        let mut part = open_shard(path, shard)?;
        for &name in names {
            let tensor = part.tensors.remove(name).ok_or_else(|| {
                refuse(
                    path,
                    shard,
                    format!("which should hold {name:?} but does not"),
                )
            })?;
            contents.tensors.insert(name.to_owned(), tensor);
        }
        ignored += part.tensors.len();
        contents.metadata.append(&mut part.metadata);
    }
    contents.notes.push(format!("{} shards", shards.len()));
    if ignored > 0 {
        contents.notes.push(format!(
            "skipped {ignored} tensors of the shards that are not in the index"
        ));
    }
    Ok(contents)
}

fn open_shard(index: &Path, shard: &str) -> Result<Contents> {
    if !is_plain_name(shard) {
        let reason = "which is not the plain name of a file in the index's own folder";
        return Err(refuse(index, shard, reason));
    }
    let path = index.with_file_name(shard);
    let (mut file, len) = open_regular(&path).map_err(|error| match error {
        Error::Io(IoError { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            refuse(index, shard, "which does not exist")
        }
        Error::NotWeights { reason, .. } => refuse(index, shard, format!("but {reason}")),
        other => other,
    })?;
    let mut head = Vec::new();
    let read = (&mut file).take(9).read_to_end(&mut head);
    read.map_err(|e| read_error(&path, e))?;
    if !looks_like_safetensors(&head) {
        return Err(refuse(index, shard, "which is not a safetensors file"));
    }
    safetensors::open(&path, file, len)
}

/// The longest name of a file on usual systems. The error for a longer one would repeat all of it.
const MAX_NAME_BYTES: usize = 255;

/// Whether a name stays in the folder on every system. Symlinks are followed: Hugging Face's cache
/// consists of them, and they were created by the owner of the folder, not by the index.
fn is_plain_name(name: &str) -> bool {
    let mut parts = Path::new(name).components();
    let one = matches!(
        (parts.next(), parts.next()),
        (Some(Component::Normal(_)), None)
    );
    one && name.len() <= MAX_NAME_BYTES && !name.contains(['/', '\\', ':', '\0'])
}

fn refuse(index: &Path, shard: &str, reason: impl Into<String>) -> Error {
    Error::Shard {
        path: index.to_owned(),
        shard: shard.chars().take(100).collect(),
        reason: reason.into().chars().take(300).collect(),
    }
}
