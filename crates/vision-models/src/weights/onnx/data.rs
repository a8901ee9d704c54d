//! The values of a tensor, in the ONNX file or in an external file.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use vision_base::io_error;

use super::super::contents::{Dtype, ReadBytes, Stored, bad};
use super::proto::Tensor;
use crate::Result;

/// Checks what a tensor declares, and makes it readable.
pub(super) fn stored(path: &Path, tensor: &Tensor) -> Result<Stored> {
    let name = &tensor.name;
    let refuse = |reason: String| bad(path, format!("tensor {name:?} {reason}"));
    let dims = tensor.dims.iter().map(|&d| usize::try_from(d).ok());
    let shape: Option<Vec<usize>> = dims.collect();
    let shape = shape.ok_or_else(|| refuse(format!("has the shape {:?}", tensor.dims)))?;
    let (dtype, size) = dtype(tensor.data_type);
    let values = shape
        .iter()
        .try_fold(1_u64, |n, &d| n.checked_mul(d as u64));
    let bytes = values.and_then(|n| n.checked_mul(size).filter(|&b| b <= i64::MAX as u64));
    let (Some(values), Some(bytes)) = (values, bytes) else {
        return Err(refuse(format!(
            "has the shape {shape:?}, more than there can be"
        )));
    };
    if let Dtype::Other(_) = dtype {
        // Not a weight: only its name and type are ever shown.
        let read: ReadBytes = Arc::new(|| Ok(Vec::new()));
        return Ok(Stored {
            shape,
            dtype,
            read,
            place: None,
        });
    }
    let expect = |what: &str, expected: u64, found: u64| {
        if expected == found {
            return Ok(());
        }
        Err(refuse(format!(
            "of shape {shape:?} should have {expected} bytes in {what}, but has {found}"
        )))
    };
    let total = |parts: &[(u64, u64)]| parts.iter().map(|part| part.1).sum::<u64>();
    let part = |parts: Vec<(u64, u64)>| Parts {
        path: path.to_owned(),
        parts,
    };
    let read: ReadBytes = if let Some(keys) = &tensor.external {
        let get = |key: &str| match keys.get(key) {
            None => Ok(None),
            Some(text) => match text.parse::<u64>() {
                Ok(number) => Ok(Some(number)),
                Err(_) => Err(refuse(format!(
                    "has {text:?} as the {key} of its external data, which is not a number"
                ))),
            },
        };
        let location = keys.get("location").map_or("", String::as_str);
        let file = beside(path, location).map_err(|reason| {
            refuse(format!(
                "has its values in {location:?}, {reason}; nothing was read from there"
            ))
        })?;
        let offset = get("offset")?.unwrap_or(0);
        if let Some(length) = get("length")? {
            expect("external data", bytes, length)?;
        }
        let metadata = fs::metadata(&file).map_err(io_error("read the external data", &file))?;
        if !metadata.is_file() {
            return Err(refuse(format!(
                "has its values in {location:?}, which is not a regular file"
            )));
        }
        if offset
            .checked_add(bytes)
            .is_none_or(|end| end > metadata.len())
        {
            return Err(refuse(format!(
                "has its {bytes} bytes at offset {offset} of {location:?}, which has only {}",
                metadata.len()
            )));
        }
        let parts = Parts {
            path: file,
            parts: vec![(offset, bytes)],
        };
        Arc::new(move || Ok(native(parts.read()?, size)))
    } else if let Some(raw) = tensor.raw {
        expect("raw_data", bytes, raw.1)?;
        let parts = part(vec![raw]);
        Arc::new(move || Ok(native(parts.read()?, size)))
    } else if let Dtype::F16 | Dtype::Bf16 = dtype {
        let found = total(&tensor.int32s);
        // Each number takes from one to ten bytes.
        if found < values || found / 10 > values {
            return Err(refuse(format!(
                "of shape {shape:?} has {found} bytes of values in int32_data"
            )));
        }
        let parts = part(tensor.int32s.clone());
        Arc::new(move || halves(&parts.read()?))
    } else {
        let (what, list) = match dtype {
            Dtype::F64 => ("double_data", &tensor.doubles),
            _ => ("float_data", &tensor.floats),
        };
        expect(what, bytes, total(list))?;
        let parts = part(list.clone());
        Arc::new(move || Ok(native(parts.read()?, size)))
    };
    Ok(Stored {
        shape,
        dtype,
        read,
        place: None,
    })
}

/// The type of the values and the size of each in bytes: `TensorProto.DataType`.
fn dtype(number: i64) -> (Dtype, u64) {
    let other = |name: &str| (Dtype::Other(name.to_owned()), 1);
    match number {
        1 => (Dtype::F32, 4),
        10 => (Dtype::F16, 2),
        11 => (Dtype::F64, 8),
        16 => (Dtype::Bf16, 2),
        2 => other("uint8"),
        3 => other("int8"),
        6 => other("int32"),
        7 => other("int64"),
        8 => other("strings"),
        9 => other("bool"),
        n => (Dtype::Other(format!("values of ONNX type {n}")), 1),
    }
}

/// Pieces of a file.
struct Parts {
    path: PathBuf,
    parts: Vec<(u64, u64)>,
}

impl Parts {
    fn read(&self) -> io::Result<Vec<u8>> {
        let mut file = File::open(&self.path)?;
        let total: u64 = self.parts.iter().map(|part| part.1).sum();
        let total = usize::try_from(total).map_err(io::Error::other)?;
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(total).map_err(io::Error::other)?;
        for &(start, len) in &self.parts {
            file.seek(SeekFrom::Start(start))?;
            let read = (&mut file).take(len).read_to_end(&mut bytes)?;
            if read as u64 != len {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(bytes)
    }
}

/// ONNX is little-endian everywhere.
fn native(mut bytes: Vec<u8>, size: u64) -> Vec<u8> {
    if cfg!(target_endian = "big") {
        bytes
            .chunks_exact_mut(size as usize)
            .for_each(<[u8]>::reverse);
    }
    bytes
}

/// 16-bit floats that were stored as varints of their bits.
fn halves(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut halves = Vec::new();
    let (mut value, mut shift) = (0_u64, 0);
    for &byte in bytes {
        if shift > 63 {
            return Err(io::ErrorKind::InvalidData.into());
        }
        value |= u64::from(byte & 0x7f) << shift;
        shift += 7;
        if byte < 0x80 {
            halves.extend((value as u16).to_ne_bytes());
            (value, shift) = (0, 0);
        }
    }
    Ok(halves)
}

/// The file at `location` in the folder of `model`, or why it is rejected.
///
/// A path that leaves the folder would let a downloaded model read any file of its user and present
/// the content as weights.
fn beside(model: &Path, location: &str) -> std::result::Result<PathBuf, String> {
    let relative = Path::new(location);
    // Backslashes and colons have a meaning on Windows; a model is treated the same on every
    // system.
    let plain = !location.is_empty()
        && !location.contains(['\\', ':', '\0'])
        && relative
            .components()
            .all(|c| matches!(c, Component::Normal(_)));
    if !plain {
        return Err("which is not inside the model's folder".into());
    }
    let folder = match model.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    let real =
        |path: &Path| fs::canonicalize(path).map_err(|e| format!("which cannot be found ({e})"));
    let (folder, file) = (real(folder)?, real(&folder.join(relative))?);
    if !file.starts_with(&folder) {
        return Err("a link out of the model's folder (copy the file there)".into());
    }
    Ok(file)
}
