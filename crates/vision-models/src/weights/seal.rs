//! A hash of a whole safetensors file, in its own header.
//!
//! The metadata has `sha256`: the SHA-256 of the file with the 64 digits of that entry replaced by zeros. So
//! every bit of the file is covered, the length, the header and the values, and a reader that knows nothing of it
//! reads the file as any other.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use sha2::{Digest, Sha256};
use vision_base::io_error;

use crate::{Error, Result};

/// The metadata key.
pub(super) const KEY: &str = "sha256";
/// What stands for the hash while it is computed.
pub(super) const BLANK: &str = "0000000000000000000000000000000000000000000000000000000000000000";
/// The largest header that is looked at; real ones are below a hundred kilobytes.
const MAX_HEADER: u64 = 100 << 20;

/// What is known of a file's content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seal {
    /// It is what was written.
    Intact,
    /// The file has no hash: another program wrote it, or an older version of this one.
    None,
}

/// Compares a safetensors file with the hash in its header.
///
/// # Errors
///
/// [`Error::Damaged`] if the content is not what was written, [`Error::Io`] if the file cannot be read.
pub fn check_seal(path: impl AsRef<Path>) -> Result<Seal> {
    let path = path.as_ref();
    let read = |source| Error::from(io_error("read", path)(source));
    let mut file = File::open(path).map_err(read)?;
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

/// Where the 64 digits begin in a header.
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
    let mut digits = String::with_capacity(BLANK.len());
    for byte in hash.finalize() {
        digits.push_str(&format!("{byte:02x}"));
    }
    digits
}
