//! The safetensors format: a length, a JSON header, the values.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use safetensors::tensor::{self, Metadata, TensorInfo};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use sha2::{Digest, Sha256};
use vision_base::io_error;

use super::contents::{Contents, Dtype, Stored, bad, read_error};
use super::seal;
use crate::state::NamedTensor;
use crate::{Error, Result};

/// Enough for 40,000 tensors. Parsing holds several copies of the header in memory.
const MAX_HEADER_BYTES: u64 = 4 << 20;
/// A header length from which on the file is not considered safetensors at all.
const IMPLAUSIBLE: u64 = 1 << 40;
const METADATA: &str = "__metadata__";

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

/// Writes tensors as 32-bit floats to a safetensors file, atomically (see [`vision_base::atomic`]).
///
/// Tensors are written in the given order, so the same tensors give the same bytes. Python reads
/// the file with `safetensors.torch.load_file`; put `("format", "pt")` into `metadata` for the
/// Hugging Face libraries.
///
/// # Errors
///
/// [`Error::WriteWeights`] if a name occurs twice or is reserved, or the number of values does not
/// match the shape, and [`Error::Io`] if the file cannot be written.
pub fn write_safetensors(
    path: impl AsRef<Path>,
    tensors: &[NamedTensor],
    metadata: &BTreeMap<String, String>,
) -> Result<()> {
    let named: Vec<_> = tensors.iter().map(|t| (t.name.clone(), t)).collect();
    write_state_dict(path.as_ref(), &named, &[], metadata)
}

/// Same as [`write_safetensors`], with a hash of the whole file in its metadata, which
/// [`check_seal`](super::check_seal) verifies.
///
/// # Errors
///
/// Same as [`write_safetensors`].
pub fn write_sealed(
    path: impl AsRef<Path>,
    tensors: &[NamedTensor],
    metadata: &BTreeMap<String, String>,
) -> Result<()> {
    let named: Vec<_> = tensors.iter().map(|t| (t.name.clone(), t)).collect();
    let mut metadata = metadata.clone();
    metadata.insert(seal::KEY.to_owned(), seal::BLANK.to_owned());
    write_state_dict(path.as_ref(), &named, &[], &metadata)
}

/// Same as [`write_safetensors`] under other names, and with counters: 64-bit integer scalars, all
/// 0.
pub(crate) fn write_state_dict(
    path: &Path,
    tensors: &[(String, &NamedTensor)],
    counters: &[String],
    metadata: &BTreeMap<String, String>,
) -> Result<()> {
    let refuse = |name: &str, reason: String| Error::WriteWeights {
        path: path.to_owned(),
        name: name.to_owned(),
        reason,
    };
    let mut offset = 0;
    let mut names = BTreeSet::from([METADATA]);
    let mut infos = Vec::with_capacity(counters.len() + tensors.len());
    let none: &[usize] = &[];
    // The counters come first, so that each begins at a multiple of its size.
    let counted = counters
        .iter()
        .map(|name| (name, none, tensor::Dtype::I64, 1));
    let floats = tensors
        .iter()
        .map(|(name, t)| (name, &t.shape[..], tensor::Dtype::F32, t.values.len()));
    for (name, shape, dtype, values) in counted.chain(floats) {
        if !names.insert(name) {
            return Err(refuse(name, "occurs twice, or has a reserved name".into()));
        }
        let len = shape
            .iter()
            .try_fold(1_usize, |len, &side| len.checked_mul(side));
        if len != Some(values) {
            let reason = format!("has the shape {shape:?} but {values} values");
            return Err(refuse(name, reason));
        }
        let start = offset;
        offset += values * dtype.bitsize() / 8;
        let info = TensorInfo {
            dtype,
            shape: shape.to_vec(),
            data_offsets: (start, offset),
        };
        infos.push((name.as_str(), info));
    }
    let mut header = serde_json::to_vec(&Header { metadata, infos })
        .map_err(|e| io_error("write the header of", path)(e.into()))?;
    // Values must begin at a multiple of their size; the format allows padding with spaces.
    header.resize(header.len().next_multiple_of(8), b' ');

    let length = (header.len() as u64).to_le_bytes();
    let values = |out: &mut dyn Write| {
        out.write_all(&vec![0; counters.len() * 8])?;
        let mut bytes = Vec::new();
        for (_, tensor) in tensors {
            for chunk in tensor.values.chunks(1 << 14) {
                bytes.clear();
                bytes.extend(chunk.iter().flat_map(|value| value.to_le_bytes()));
                out.write_all(&bytes)?;
            }
        }
        Ok(())
    };
    let sealed = metadata
        .get(seal::KEY)
        .is_some_and(|digits| digits == seal::BLANK);
    if let Some(at) = seal::position(&header).filter(|_| sealed) {
        let mut hash = Sha256::new();
        hash.update(length);
        hash.update(&header);
        values(&mut hash).map_err(io_error("hash the values of", path))?;
        let digits = seal::digits_of(hash);
        header[at..at + digits.len()].copy_from_slice(digits.as_bytes());
    }
    vision_base::atomic::write_with(path, |out| {
        out.write_all(&length)?;
        out.write_all(&header)?;
        values(out)
    })?;
    Ok(())
}

/// The header in file order. The crate's own type writes its metadata in random order.
struct Header<'a> {
    metadata: &'a BTreeMap<String, String>,
    infos: Vec<(&'a str, TensorInfo)>,
}

impl Serialize for Header<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if !self.metadata.is_empty() {
            map.serialize_entry(METADATA, self.metadata)?;
        }
        for (name, info) in &self.infos {
            map.serialize_entry(name, info)?;
        }
        map.end()
    }
}
