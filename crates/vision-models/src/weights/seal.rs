//! A hash of a whole safetensors file, stored in its own header.
//!
//! The metadata entry `sha256` is the SHA-256 of the file with the 64 digits of that entry replaced
//! by zeros. So the hash covers every bit of the file (length, header and values), and readers that
//! do not know it can read the file as usual.

use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use sha2::{Digest, Sha256};
use vision_base::io_error;
use vision_base::message::hex;
use vision_base::paths::open_file;

use crate::{Error, Result};

/// The metadata key.
pub(super) const KEY: &str = "sha256";
/// The placeholder while the hash is computed.
pub(super) const BLANK: &str = "0000000000000000000000000000000000000000000000000000000000000000";
/// The largest header that is checked; real ones are below a hundred kilobytes.
const MAX_HEADER: u64 = 100 << 20;

/// The result of checking a seal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seal {
    /// The content is unchanged.
    Intact,
    /// The file has no hash: it was written by another program, or by an older version of this one.
    None,
}

/// Verifies the hash in the header of a safetensors file.
///
/// # Errors
///
/// [`Error::Damaged`] if the content has changed, [`Error::Io`] if the file cannot be read.
pub fn check_seal(path: impl AsRef<Path>) -> Result<Seal> {
    let path = path.as_ref();
    let read = |source| Error::from(io_error("read", path)(source));
    let mut file = open_file(path)?;
    let mut length = [0; 8];
    if file.read_exact(&mut length).is_err() {
        return Ok(Seal::None);
    }
    let header_length = u64::from_le_bytes(length);
    if header_length > MAX_HEADER {
        return Ok(Seal::None);
    }
    let mut header = vec![0; header_length as usize];
    if file.read_exact(&mut header).is_err() {
        return Ok(Seal::None);
    }
    let Some(at) = position(&header) else {
        return Ok(Seal::None);
    };
    let digits = &mut header[at..at + BLANK.len()];
    let expected = String::from_utf8_lossy(digits).into_owned();
    digits.copy_from_slice(BLANK.as_bytes());
    let mut hash = Sha256::new();
    hash.update(length);
    hash.update(&header);
    file.seek(SeekFrom::Start(8 + header_length))
        .map_err(read)?;
    io::copy(&mut file, &mut hash).map_err(read)?;
    let found = digits_of(hash);
    if found == expected {
        Ok(Seal::Intact)
    } else {
        Err(Error::Damaged {
            path: path.to_owned(),
            expected,
            found,
        })
    }
}

/// The position of the 64 digits in a header.
pub(super) fn position(header: &[u8]) -> Option<usize> {
    let start = format!("\"{KEY}\":\"");
    let mut found = header
        .windows(start.len())
        .enumerate()
        .filter(|(_, window)| *window == start.as_bytes());
    let at = found.next()?.0 + start.len();
    (header.get(at + BLANK.len()) == Some(&b'"')).then_some(at)
}

pub(super) fn digits_of(hash: Sha256) -> String {
    hex(&hash.finalize())
}
