//! Reads the safetensors format: a length, a JSON header, the values.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use safetensors::tensor::{self, Metadata, TensorInfo};

use super::contents::{Contents, Dtype, Stored, bad, read_error};
use crate::Result;

/// Enough for 40,000 tensors. Parsing holds several copies of the header in memory.
pub(super) const MAX_HEADER_BYTES: u64 = 4 << 20;
/// A header length from which on the file is not considered safetensors at all.
const IMPLAUSIBLE: u64 = 1 << 40;

/// Checks for a length whose upper bytes are zero, followed by an opening brace.
pub(super) fn looks_like_safetensors(head: &[u8]) -> bool {
    head.first_chunk()
        .is_some_and(|n| u64::from_le_bytes(*n) < IMPLAUSIBLE)
        && head.get(8) == Some(&b'{')
}

/// Reads the header of a file of `len` bytes and checks that its tensors cover the rest exactly.
pub(super) fn open(path: &Path, mut file: File, len: u64) -> Result<Contents> {
    let io = |e| read_error(path, e);
    let mut length = [0; 8];
    file.seek(SeekFrom::Start(0)).map_err(io)?;
    file.read_exact(&mut length).map_err(io)?;
    let header_len = u64::from_le_bytes(length);
    let start = header_len.saturating_add(8);
    if start > len {
        return Err(bad(
            path,
            format!("it claims a header of {header_len} bytes, but has {len} in all"),
        ));
    }
    if header_len > MAX_HEADER_BYTES {
        let reason =
            format!("its header has {header_len} bytes, over the limit of {MAX_HEADER_BYTES}");
        return Err(bad(path, reason));
    }
    let mut header = Vec::new();
    (&mut file)
        .take(header_len)
        .read_to_end(&mut header)
        .map_err(io)?;
    // This also checks that the tensors are contiguous, without gap or overlap, and that shape and
    // type agree with the number of bytes.
    let header: Metadata = serde_json::from_slice(&header)
        .map_err(|e| bad(path, format!("its header is damaged: {e}")))?;
    let covered = start.saturating_add(header.data_len() as u64);
    if covered != len {
        let reason = format!("its header describes a file of {covered} bytes, but it has {len}");
        return Err(bad(path, reason));
    }

    let name: Arc<str> = path.to_string_lossy().into();
    let file = Arc::new(Mutex::new(file));
    let mut contents = Contents::default();
    for key in header.offset_keys() {
        if let Some(info) = header.info(&key) {
            let mut stored = stored(&file, start, info);
            stored.place = Some((name.clone(), info.data_offsets.0 as u64));
            contents.tensors.insert(key, stored);
        }
    }
    contents
        .metadata
        .extend(header.metadata().clone().unwrap_or_default());
    Ok(contents)
}

fn stored(file: &Arc<Mutex<File>>, start: u64, info: &TensorInfo) -> Stored {
    let dtype = match info.dtype {
        tensor::Dtype::F16 => Dtype::F16,
        tensor::Dtype::BF16 => Dtype::Bf16,
        tensor::Dtype::F32 => Dtype::F32,
        tensor::Dtype::F64 => Dtype::F64,
        other => Dtype::Other(other.to_string()),
    };
    let (from, to) = info.data_offsets;
    let (file, size) = (Arc::clone(file), info.dtype.bitsize() / 8);
    let read = move || -> io::Result<Vec<u8>> {
        let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(start + from as u64))?;
        let mut bytes = vec![0; to - from];
        file.read_exact(&mut bytes)?;
        if cfg!(target_endian = "big") && size > 1 {
            bytes.chunks_exact_mut(size).for_each(<[u8]>::reverse);
        }
        Ok(bytes)
    };
    Stored {
        shape: info.shape.clone(),
        dtype,
        read: Arc::new(read),
        place: None,
    }
}
