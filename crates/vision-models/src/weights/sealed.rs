//! A sealed safetensors file in memory.

use std::collections::BTreeMap;
use std::path::Path;

use safetensors::tensor::{self, Metadata};
use sha2::{Digest, Sha256};

use super::contents::bad;
use super::safetensors::MAX_HEADER_BYTES;
use super::seal;
use crate::{Error, Result};

/// The content of a safetensors file whose hash ([`write_sealed`](super::write_sealed)) was verified: from a
/// single read, so that what was verified is what is used.
#[derive(Debug)]
pub struct SealedFile<'a> {
    path: &'a Path,
    metadata: BTreeMap<String, String>,
    tensors: BTreeMap<String, Part<'a>>,
    hash: String,
}

#[derive(Debug)]
struct Part<'a> {
    shape: Vec<usize>,
    dtype: tensor::Dtype,
    bytes: &'a [u8],
}

impl<'a> SealedFile<'a> {
    /// Whether a file may be safetensors, by its first nine bytes or more.
    pub fn begins(bytes: &[u8]) -> bool {
        bytes
            .split_first_chunk::<8>()
            .is_some_and(|(length, rest)| {
                u64::from_le_bytes(*length) <= MAX_HEADER_BYTES && rest.first() == Some(&b'{')
            })
    }

    /// Verifies the hash of a whole file, and reads its list of tensors. `path` is for messages.
    ///
    /// # Errors
    ///
    /// [`Error::BadWeights`] if it is no safetensors file, is cut off or has no hash, and
    /// [`Error::Damaged`] if its content is not that of the hash.
    pub fn parse(path: &'a Path, bytes: &'a [u8]) -> Result<Self> {
        let cut = || {
            let reason = format!(
                "it has {} bytes, and its header says that there are more, or it is no safetensors file; get another \
                 copy of the file",
                bytes.len()
            );
            bad(path, reason)
        };
        let (&length, rest) = bytes.split_first_chunk::<8>().ok_or_else(cut)?;
        let header_length = u64::from_le_bytes(length);
        if !Self::begins(bytes) {
            let reason = "it is damaged, or no safetensors file; get another copy of the file";
            return Err(bad(path, reason));
        }
        let (header, values) = rest
            .split_at_checked(header_length as usize)
            .ok_or_else(cut)?;
        let Some(at) = seal::position(header) else {
            let reason = "its header has no hash of the file: it is damaged, or another program wrote it; get another \
                          copy of the file";
            return Err(bad(path, reason));
        };
        let after = at + seal::BLANK.len();
        let expected = String::from_utf8_lossy(&header[at..after]).into_owned();
        let mut hash = Sha256::new();
        hash.update(length);
        hash.update(&header[..at]);
        hash.update(seal::BLANK);
        hash.update(&header[after..]);
        hash.update(values);
        let found = seal::digits_of(hash);
        if found != expected {
            return Err(Error::Damaged {
                path: path.to_owned(),
                expected,
                found,
            });
        }
        // This also checks that the tensors are contiguous, and that shape and type agree with the number of bytes.
        let header: Metadata = serde_json::from_slice(header)
            .map_err(|e| bad(path, format!("its header is damaged: {e}")))?;
        if header.data_len() != values.len() {
            return Err(cut());
        }
        let mut tensors = BTreeMap::new();
        for name in header.offset_keys() {
            let Some(info) = header.info(&name) else {
                continue;
            };
            let (from, to) = info.data_offsets;
            let bytes = values.get(from..to).ok_or_else(cut)?;
            let (shape, dtype) = (info.shape.clone(), info.dtype);
            tensors.insert(
                name,
                Part {
                    shape,
                    dtype,
                    bytes,
                },
            );
        }
        let metadata = header.metadata().clone().unwrap_or_default();
        Ok(Self {
            path,
            metadata: metadata.into_iter().collect(),
            tensors,
            hash: found,
        })
    }

    /// The SHA-256 of the file, as in its header.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// A text of the header.
    pub fn metadata(&self, key: &str) -> Option<&str> {
        self.metadata.get(key).map(String::as_str)
    }

    /// The names of the tensors, in alphabetical order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// The shape of a tensor of 16-bit or 32-bit floating-point numbers.
    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        let float = |dtype| matches!(dtype, tensor::Dtype::F16 | tensor::Dtype::F32);
        let tensor = self.tensors.get(name).filter(|part| float(part.dtype))?;
        Some(&tensor.shape)
    }

    /// The bytes of a tensor of bytes.
    pub fn bytes(&self, name: &str) -> Option<&'a [u8]> {
        let tensor = self.tensors.get(name)?;
        (tensor.dtype == tensor::Dtype::U8).then_some(tensor.bytes)
    }

    /// The values of a tensor in row-major order; 16-bit numbers are converted exactly.
    ///
    /// # Errors
    ///
    /// [`Error::BadWeights`] if there is no such tensor of 16-bit or 32-bit numbers.
    pub fn read_f32(&self, name: &str) -> Result<Vec<f32>> {
        fn each<const N: usize>(bytes: &[u8], convert: impl Fn([u8; N]) -> f32) -> Vec<f32> {
            bytes.as_chunks().0.iter().map(|&v| convert(v)).collect()
        }
        match self.tensors.get(name) {
            Some(part) if part.dtype == tensor::Dtype::F32 => {
                Ok(each(part.bytes, f32::from_le_bytes))
            }
            Some(part) if part.dtype == tensor::Dtype::F16 => {
                Ok(each(part.bytes, |v| half::f16::from_le_bytes(v).to_f32()))
            }
            _ => Err(bad(
                self.path,
                format!("it has no tensor {name:?} of 16-bit or 32-bit numbers"),
            )),
        }
    }
}
