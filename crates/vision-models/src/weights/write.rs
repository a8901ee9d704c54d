//! Writes the safetensors format: a length, a JSON header, the values.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::path::Path;

use safetensors::tensor::{self, TensorInfo};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use sha2::{Digest, Sha256};
use vision_base::io_error;

use super::safetensors::MAX_HEADER_BYTES;
use super::seal;
use crate::state::NamedTensor;
use crate::{Error, Result};

const METADATA: &str = "__metadata__";

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

/// The values of a tensor to be written.
#[derive(Clone, Copy, Debug)]
pub enum Values<'a> {
    /// 32-bit numbers.
    F32(&'a [f32]),
    /// These numbers, rounded to 16 bits.
    F16(&'a [f32]),
    /// Bytes.
    Bytes(&'a [u8]),
}

/// A tensor to be written.
#[derive(Clone, Debug)]
pub struct TensorToWrite<'a> {
    /// Its name.
    pub name: &'a str,
    /// Size of each dimension.
    pub shape: &'a [usize],
    /// Row-major values.
    pub values: Values<'a>,
}

/// The bytes of a file as [`write_sealed`] writes it, of tensors of several types.
///
/// # Errors
///
/// [`Error::WriteWeights`] as [`write_safetensors`], for a header of more than 4 MiB, which readers reject,
/// and for a value that 16 bits cannot hold. `path` is for messages.
pub fn sealed_bytes(
    path: &Path,
    tensors: &[TensorToWrite<'_>],
    metadata: &BTreeMap<String, String>,
) -> Result<Vec<u8>> {
    let mut metadata = metadata.clone();
    metadata.insert(seal::KEY.to_owned(), seal::BLANK.to_owned());
    let entries = tensors.iter().map(|tensor| Entry {
        name: tensor.name,
        shape: tensor.shape,
        values: Content::Given(tensor.values),
    });
    let layout = Layout::new(path, entries.collect(), &metadata)?;
    let too_long = layout.header.len() as u64 > MAX_HEADER_BYTES;
    if too_long {
        return Err(Error::WriteWeights {
            path: path.to_owned(),
            name: METADATA.to_owned(),
            reason: format!(
                "has {} bytes, more than the {MAX_HEADER_BYTES} that a header may have: shorten the names",
                layout.header.len()
            ),
        });
    }
    let mut bytes = Vec::with_capacity(8 + layout.header.len() + layout.values_len);
    let written = layout.write(&mut bytes);
    written.map_err(io_error("write", path))?;
    Ok(bytes)
}

/// Same as [`write_safetensors`] under other names, and with counters: 64-bit integer scalars, all
/// 0.
pub(crate) fn write_state_dict(
    path: &Path,
    tensors: &[(String, &NamedTensor)],
    counters: &[String],
    metadata: &BTreeMap<String, String>,
) -> Result<()> {
    // The counters come first, so that each begins at a multiple of its size.
    let counted = counters.iter().map(|name| Entry {
        name,
        shape: &[],
        values: Content::Zero,
    });
    let floats = tensors.iter().map(|(name, tensor)| Entry {
        name,
        shape: &tensor.shape,
        values: Content::Given(Values::F32(&tensor.values)),
    });
    let layout = Layout::new(path, counted.chain(floats).collect(), metadata)?;
    vision_base::atomic::write_with(path, |out| layout.write(out))?;
    Ok(())
}

/// A tensor of a file that is being written.
struct Entry<'a> {
    name: &'a str,
    shape: &'a [usize],
    values: Content<'a>,
}

enum Content<'a> {
    Given(Values<'a>),
    /// A counter.
    Zero,
}

impl Content<'_> {
    fn dtype(&self) -> tensor::Dtype {
        match self {
            Self::Zero => tensor::Dtype::I64,
            Self::Given(Values::F32(_)) => tensor::Dtype::F32,
            Self::Given(Values::F16(_)) => tensor::Dtype::F16,
            Self::Given(Values::Bytes(_)) => tensor::Dtype::U8,
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Zero => 1,
            Self::Given(Values::F32(values) | Values::F16(values)) => values.len(),
            Self::Given(Values::Bytes(bytes)) => bytes.len(),
        }
    }

    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut converted = Vec::new();
        match self {
            Self::Zero => out.write_all(&[0; 8]),
            Self::Given(Values::Bytes(bytes)) => out.write_all(bytes),
            Self::Given(Values::F32(values)) => values.chunks(1 << 14).try_for_each(|chunk| {
                converted.clear();
                converted.extend(chunk.iter().flat_map(|value| value.to_le_bytes()));
                out.write_all(&converted)
            }),
            Self::Given(Values::F16(values)) => values.chunks(1 << 14).try_for_each(|chunk| {
                converted.clear();
                let halves = chunk.iter().map(|value| half::f16::from_f32(*value));
                converted.extend(halves.flat_map(half::f16::to_le_bytes));
                out.write_all(&converted)
            }),
        }
    }
}

/// A file that is ready to be written.
struct Layout<'a> {
    entries: Vec<Entry<'a>>,
    header: Vec<u8>,
    values_len: usize,
}

impl<'a> Layout<'a> {
    fn new(
        path: &Path,
        entries: Vec<Entry<'a>>,
        metadata: &BTreeMap<String, String>,
    ) -> Result<Self> {
        let refuse = |name: &str, reason: String| Error::WriteWeights {
            path: path.to_owned(),
            name: name.to_owned(),
            reason,
        };
        let mut offset = 0;
        let mut names = BTreeSet::from([METADATA]);
        let mut infos = Vec::with_capacity(entries.len());
        for Entry {
            name,
            shape,
            values,
        } in &entries
        {
            if !names.insert(name) {
                return Err(refuse(name, "occurs twice, or has a reserved name".into()));
            }
            let len = shape
                .iter()
                .try_fold(1_usize, |len, &side| len.checked_mul(side));
            if len != Some(values.len()) {
                let reason = format!("has the shape {shape:?} but {} values", values.len());
                return Err(refuse(name, reason));
            }
            if let Content::Given(Values::F16(values)) = values {
                let fits = |value: &&f32| half::f16::from_f32(**value).is_finite();
                if let Some(value) = values.iter().find(|value| !fits(value)) {
                    let reason =
                        format!("holds {value:e}, beyond the largest 16-bit number, 65504");
                    return Err(refuse(name, reason));
                }
            }
            let dtype = values.dtype();
            let start = offset;
            offset += values.len() * (dtype.bitsize() / 8);
            let info = TensorInfo {
                dtype,
                shape: shape.to_vec(),
                data_offsets: (start, offset),
            };
            infos.push((*name, info));
        }
        let mut header = serde_json::to_vec(&Header { metadata, infos })
            .map_err(|e| io_error("write the header of", path)(e.into()))?;
        // Values must begin at a multiple of their size; the format allows padding with spaces.
        header.resize(header.len().next_multiple_of(8), b' ');
        let mut layout = Self {
            entries,
            header,
            values_len: offset,
        };
        let sealed = metadata
            .get(seal::KEY)
            .is_some_and(|digits| digits == seal::BLANK);
        if let Some(at) = seal::position(&layout.header).filter(|_| sealed) {
            let mut hash = Sha256::new();
            let hashed = layout.write(&mut hash);
            hashed.map_err(io_error("hash the values of", path))?;
            let digits = seal::digits_of(hash);
            layout.header[at..at + digits.len()].copy_from_slice(digits.as_bytes());
        }
        Ok(layout)
    }

    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        out.write_all(&(self.header.len() as u64).to_le_bytes())?;
        out.write_all(&self.header)?;
        let mut entries = self.entries.iter();
        entries.try_for_each(|entry| entry.values.write(out))
    }
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
