//! PyTorch's files: zip archives, the older stream of pickles, and the TAR archives before that.

use std::path::Path;

use pytorch_reader::{DType, PytorchError, PytorchReader, Tensor};

use super::contents::{Contents, Dtype, Stored, bad, catch, read_error};
use crate::{Error, Result};

/// Keys under which training programs put the state dict, in order of preference.
const WRAPPERS: [&str; 3] = ["state_dict", "model_state_dict", "model"];

/// A tensor may be a view that repeats its storage and so be larger than its file. Only small ones are.
const MAX_REPEATED_BYTES: u64 = 1 << 20;

/// Lists the tensors of a file of `len` bytes that has passed the guard.
pub(super) fn open(path: &Path, len: u64) -> Result<Contents> {
    let (reader, key) = catch(path, || state_dict(path))?.map_err(|e| error(path, e))?;
    let mut contents = Contents::default();
    let note = key.map(|key| format!("taken from the key {key:?}"));
    contents.notes.extend(note);
    for (name, tensor) in reader.into_tensors() {
        let bytes = tensor.byte_len() as u64;
        if bytes > len.max(MAX_REPEATED_BYTES) {
            let reason = format!("tensor {name:?} claims {bytes} bytes, the whole file has {len}");
            return Err(bad(path, reason));
        }
        contents.tensors.insert(name, stored(tensor));
    }
    Ok(contents)
}

/// The tensors, and the key that they lie under.
fn state_dict(
    path: &Path,
) -> std::result::Result<(PytorchReader, Option<&'static str>), PytorchError> {
    let whole = PytorchReader::new(path)?;
    for key in WRAPPERS {
        let prefix = format!("{key}.");
        if whole.tensors().keys().any(|name| name.starts_with(&prefix)) {
            // A plain state dict with a child called `model` has such names, but no such key.
            match PytorchReader::with_top_level_key(path, key) {
                Ok(inner) if !inner.is_empty() => return Ok((inner, Some(key))),
                _ => {}
            }
        }
    }
    Ok((whole, None))
}

fn stored(tensor: Tensor) -> Stored {
    let dtype = match tensor.dtype() {
        DType::F16 => Dtype::F16,
        DType::BF16 => Dtype::Bf16,
        DType::F32 => Dtype::F32,
        DType::F64 => Dtype::F64,
        other => Dtype::Other(format!("{other:?}")),
    };
    Stored {
        shape: tensor.shape().to_vec(),
        dtype,
        read: Box::new(move || tensor.read()),
    }
}

fn error(path: &Path, error: PytorchError) -> Error {
    match error {
        PytorchError::Io(source) => read_error(path, source),
        other => bad(path, other.to_string()),
    }
}
