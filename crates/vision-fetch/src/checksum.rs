//! Verification of a file's length and hash.

use std::io::Read;
use std::path::Path;

use sha1::Sha1;
use sha2::{Digest, Sha256};
use vision_base::message::hex;
use vision_base::paths::open_file;

use crate::error::{Error, Result, io_error};

/// The expected properties of a file, validated.
#[derive(Debug)]
pub(crate) struct Expected {
    sha256: Option<String>,
    git_blob: Option<String>,
    size: Option<u64>,
}

/// The hash by which Hugging Face's hub names a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Etag {
    /// Of a large file.
    Sha256(String),
    /// Git's SHA-1 of a small file.
    GitBlob(String),
}

impl Etag {
    /// From the header: in quotes, or as a weak one.
    pub(crate) fn parse(header: &str) -> Option<Self> {
        let header = header.trim();
        let digits = header
            .strip_prefix("W/")
            .unwrap_or(header)
            .trim_matches('"');
        let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        match digits.len() {
            _ if !digits.bytes().all(is_hex) => None,
            64 => Some(Self::Sha256(digits.to_owned())),
            40 => Some(Self::GitBlob(digits.to_owned())),
            _ => None,
        }
    }

    pub(crate) fn digits(&self) -> &str {
        match self {
            Self::Sha256(digits) | Self::GitBlob(digits) => digits,
        }
    }
}

/// How a file differs from the expected properties.
#[derive(Clone, Debug)]
pub(crate) enum Mismatch {
    Size {
        expected: u64,
        found: u64,
    },
    Hash {
        hash: &'static str,
        expected: String,
        found: String,
    },
}

const SHA256: &str = "SHA-256";
const GIT_BLOB: &str = "SHA-1 (as a Git blob)";

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
        Ok(Self {
            sha256,
            git_blob: None,
            size,
        })
    }

    /// What a file with this name on the hub must be.
    pub(crate) fn of_etag(etag: &Etag, size: Option<u64>) -> Self {
        let (sha256, git_blob) = match etag.clone() {
            Etag::Sha256(digits) => (Some(digits), None),
            Etag::GitBlob(digits) => (None, Some(digits)),
        };
        Self {
            sha256,
            git_blob,
            size,
        }
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
        if let Some(expected) = &self.git_blob {
            let found = git_blob_of(file, length)?;
            if *expected != found {
                return Ok(Err(Mismatch::Hash {
                    hash: GIT_BLOB,
                    expected: expected.clone(),
                    found,
                }));
            }
        }
        let found = sha256_of(file)?;
        match &self.sha256 {
            Some(digits) if !found.starts_with(digits.as_str()) => Ok(Err(Mismatch::Hash {
                hash: SHA256,
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
            Self::Hash {
                hash,
                expected,
                found,
            } => Error::HashMismatch {
                url,
                file,
                hash,
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
            Self::Hash {
                hash,
                expected,
                found,
            } => (format!("{hash} {expected}"), format!("{hash} {found}")),
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
    hash_of(file, Sha256::new())
}

/// The SHA-1 of a file of this length as Git names its content.
fn git_blob_of(file: &Path, length: u64) -> Result<String> {
    hash_of(file, Sha1::new_with_prefix(format!("blob {length}\0")))
}

fn hash_of(file: &Path, mut hasher: impl Digest) -> Result<String> {
    let mut reader = open_file(file)?;
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
    fn the_digest_of_a_blob_is_gits() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("blob");
        std::fs::write(&file, "what is up, doc?").unwrap();
        // Pro Git, 2nd edition, section 10.2.
        let digits = "bd9dbf5aae1a3862dd1526723246b20206e5fc37";
        assert_eq!(git_blob_of(&file, 16).unwrap(), digits);
        let etag = Etag::parse(&format!("\"{digits}\"")).unwrap();
        assert!(Expected::of_etag(&etag, None).check(&file).unwrap().is_ok());
        let other = Etag::GitBlob(digits.replace('b', "c"));
        assert!(
            Expected::of_etag(&other, None)
                .check(&file)
                .unwrap()
                .is_err()
        );
    }

    #[test]
    fn an_etag_that_is_no_hash_is_none() {
        let hash = "0123456789abcdef".repeat(4);
        assert_eq!(
            Etag::parse(&format!("W/\"{hash}\"")),
            Some(Etag::Sha256(hash.clone()))
        );
        for bad in [
            "",
            "\"\"",
            "abc",
            "../../../../x",
            &hash.to_uppercase(),
            &hash[..63],
            &"g".repeat(40),
        ] {
            assert_eq!(Etag::parse(bad), None, "{bad}");
        }
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
