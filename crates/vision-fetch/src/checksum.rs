//! Verification of a file's length and SHA-256.

use std::io::Read;
use std::path::Path;

use sha2::{Digest, Sha256};
use vision_base::message::hex;
use vision_base::paths::open_file;

use crate::error::{Error, Result, io_error};

/// The expected properties of a file, validated.
#[derive(Debug)]
pub(crate) struct Expected {
    sha256: Option<String>,
    size: Option<u64>,
}

/// How a file differs from the expected properties.
#[derive(Clone, Debug)]
pub(crate) enum Mismatch {
    Size { expected: u64, found: u64 },
    Sha256 { expected: String, found: String },
}

impl Expected {
    pub(crate) fn new(sha256: Option<&str>, size: Option<u64>) -> Result<Self> {
        let valid = |digits: &str| {
            (8..=64).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_hexdigit())
        };
        let sha256 = match sha256 {
            Some(given) if !valid(given) => {
                return Err(Error::BadHash {
                    given: given.to_owned(),
                });
            }
            given => given.map(str::to_ascii_lowercase),
        };
        Ok(Self { sha256, size })
    }

    /// Length and SHA-256 of `file`, or how it differs from what is expected.
    pub(crate) fn check(
        &self,
        file: &Path,
    ) -> Result<std::result::Result<(u64, String), Mismatch>> {
        let length = file.metadata().map_err(io_error("read", file))?.len();
        if let Some(expected) = self.size
            && expected != length
        {
            return Ok(Err(Mismatch::Size {
                expected,
                found: length,
            }));
        }
        let found = sha256_of(file)?;
        match &self.sha256 {
            Some(digits) if !found.starts_with(digits.as_str()) => Ok(Err(Mismatch::Sha256 {
                expected: digits.clone(),
                found,
            })),
            _ => Ok(Ok((length, found))),
        }
    }
}

impl Mismatch {
    /// The error for a file that was just downloaded from `url`.
    pub(crate) fn fetched(self, url: &str, file: &Path) -> Error {
        let (url, file) = (url.to_owned(), file.to_owned());
        match self {
            Self::Size { expected, found } => Error::SizeMismatch {
                url,
                file,
                expected,
                found,
            },
            Self::Sha256 { expected, found } => Error::HashMismatch {
                url,
                file,
                expected,
                found,
            },
        }
    }

    /// The error for a file that was already in place.
    pub(crate) fn in_place(self, url: &str, file: &Path) -> Error {
        let (expected, found) = match self {
            Self::Size { expected, found } => {
                (format!("{expected} bytes"), format!("{found} bytes"))
            }
            Self::Sha256 { expected, found } => {
                (format!("SHA-256 {expected}"), format!("SHA-256 {found}"))
            }
        };
        Error::NotTheFile {
            file: file.to_owned(),
            url: url.to_owned(),
            expected,
            found,
        }
    }
}

/// The SHA-256 of a file, as 64 lower-case hexadecimal digits.
pub fn sha256_of(file: &Path) -> Result<String> {
    let mut reader = open_file(file)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        let n = reader.read(&mut buffer).map_err(io_error("read", file))?;
        let Some(read) = buffer.get(..n).filter(|read| !read.is_empty()) else {
            break;
        };
        hasher.update(read);
    }
    Ok(hex(&hasher.finalize()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_digest_is_the_one_of_fips_180() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("abc");
        std::fs::write(&file, "abc").unwrap();
        // FIPS 180-2, appendix B.1.
        assert_eq!(
            sha256_of(&file).unwrap(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }

    #[test]
    fn a_hash_is_8_to_64_hexadecimal_digits() {
        for good in ["f37072fd", "F37072FD0", &"0".repeat(64)] {
            assert!(Expected::new(Some(good), None).is_ok());
        }
        for bad in ["", "f37072f", "g37072fd", "ééééé", &"0".repeat(65)] {
            assert!(Expected::new(Some(bad), None).is_err());
        }
    }
}
