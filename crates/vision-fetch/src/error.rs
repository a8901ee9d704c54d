//! Errors of downloads and archives.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use vision_base::message::{quoted, shown};
use vision_base::{IoError, OptionError};

use crate::hub::error::HubError;

/// Errors of downloads and archives.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An operation of the file system failed.
    #[error(transparent)]
    Io(#[from] IoError),
    /// An option is outside its range.
    #[error(transparent)]
    Option(#[from] OptionError),
    /// Something is wrong with a repository on Hugging Face's hub.
    #[error(transparent)]
    Hub(#[from] Box<HubError>),
    /// The cache folder cannot be determined.
    #[error("no home folder is known for the cache: set {variable} to a folder")]
    NoHome {
        /// The environment variable to set.
        variable: &'static str,
    },
    /// The URL is invalid.
    #[error("bad URL {}: {reason}", quoted(url))]
    BadUrl {
        /// The URL, as given.
        url: String,
        /// What is wrong with the URL.
        reason: &'static str,
    },
    /// An expected hash is not a SHA-256, nor the beginning of one.
    #[error(
        "bad SHA-256 {}: expected 8 to 64 hexadecimal digits, found {} characters",
        quoted(given),
        given.chars().count()
    )]
    BadHash {
        /// The hash, as given.
        given: String,
    },
    /// The server cannot be reached.
    #[error(
        "cannot reach {url}: {reason}. Download the file elsewhere and put it at {}, or set \
         VISION_MIRROR to a folder or base URL that has it",
        shown(file),
        url = shown(url)
    )]
    Offline {
        /// The URL that was tried.
        url: String,
        /// Where the file is expected. A file put there by hand is verified and used.
        file: PathBuf,
        /// The reason, as the system gives it.
        reason: String,
    },
    /// The network is forbidden.
    #[error(
        "{url} has not been downloaded to {}, and downloads are forbidden ({by}): get the file by other means and \
         put it there, or set VISION_MIRROR to a folder that holds it, or allow downloads",
        shown(file),
        url = shown(url)
    )]
    Forbidden {
        /// The URL that was not asked.
        url: String,
        /// Where the file is expected; one put there by hand is verified and used.
        file: PathBuf,
        /// What forbids it.
        by: &'static str,
    },
    /// A file of certificate authorities that cannot be used.
    #[error(
        "the certificates in {} cannot be used: {}. They have to be certificate authorities in a PEM file. If SSL_CERT_FILE \
         names it, name another one there, or nothing: then the built-in ones are trusted",
        shown(file),
        shown(reason)
    )]
    Certificates {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// An encrypted connection to a server that cannot prove who it is.
    #[error(
        "the server of {url}, or one that it redirects to, is not trusted: {reason}. If a proxy opens encrypted connections, as in some companies, let \
         SSL_CERT_FILE name a PEM file with its certificate authority; otherwise somebody else may be answering",
        url = shown(url)
    )]
    Untrusted {
        /// The URL.
        url: String,
        /// What is wrong with the server's certificate.
        reason: String,
    },
    /// The server answered with an error status.
    #[error(
        "{url} answered with HTTP status {status} after {attempts} attempt(s). Download the file elsewhere and put \
         it at {}, or set VISION_MIRROR to a folder or base URL that has it",
        shown(file),
        url = shown(url)
    )]
    HttpStatus {
        /// The URL that was tried.
        url: String,
        /// Where the file is expected. A file put there by hand is verified and used.
        file: PathBuf,
        /// The last status.
        status: u16,
        /// Number of attempts.
        attempts: u32,
    },
    /// Every attempt broke off before the end.
    #[error(
        "the download of {url} broke off after {found} of {} bytes ({attempts} attempts, last: \
         {reason}). Run it again to resume from {}",
        expected.map_or_else(|| "an unknown number of".to_owned(), |n| n.to_string()),
        shown(part),
        url = shown(url)
    )]
    Interrupted {
        /// The URL.
        url: String,
        /// The unfinished file, which the next call resumes.
        part: PathBuf,
        /// The announced length, in bytes.
        expected: Option<u64>,
        /// The length so far, in bytes.
        found: u64,
        /// Number of attempts.
        attempts: u32,
        /// Why the last attempt ended.
        reason: String,
    },
    /// The file has the wrong length.
    #[error(
        "{url} has the wrong size: expected {expected} bytes, found {found} (for {}). The file has changed at its \
         source, or the mirror has a different one",
        shown(file),
        url = shown(url)
    )]
    SizeMismatch {
        /// The URL or file it came from.
        url: String,
        /// The destination.
        file: PathBuf,
        /// Bytes expected.
        expected: u64,
        /// Bytes found.
        found: u64,
    },
    /// The file has the wrong hash. Nothing was left under the final name.
    #[error(
        "{url} has the wrong {hash}: expected {expected}, found {found} (for {}). Nothing was \
         kept: the file has changed at its source, or was tampered with",
        shown(file),
        url = shown(url)
    )]
    HashMismatch {
        /// The URL or file it came from.
        url: String,
        /// The destination.
        file: PathBuf,
        /// The kind of hash: SHA-256, or Git's SHA-1 for small files of the hub.
        hash: &'static str,
        /// The digits expected (all, or the beginning of a SHA-256).
        expected: String,
        /// The digits found.
        found: String,
    },
    /// The file at the destination is not the requested one.
    #[error(
        "{} does not match {url}: expected {expected}, found {found}. Delete it to download it again",
        shown(file),
        url = shown(url)
    )]
    NotTheFile {
        /// The file at the destination. It is unchanged.
        file: PathBuf,
        /// The URL.
        url: String,
        /// Expected size or SHA-256.
        expected: String,
        /// Size or SHA-256 found.
        found: String,
    },
    /// The download is larger than the limit.
    #[error(
        "{url} has at least {found} bytes, more than the limit of {limit} (with_max_size)",
        url = shown(url)
    )]
    TooLarge {
        /// The URL.
        url: String,
        /// The limit, in bytes.
        limit: u64,
        /// The announced or received number of bytes.
        found: u64,
    },
    /// The mirror folder lacks the file.
    #[error(
        "the mirror has no {} (for {url}). Put the file there, or unset VISION_MIRROR",
        shown(path),
        url = shown(url)
    )]
    NotInMirror {
        /// The requested URL.
        url: String,
        /// The missing file.
        path: PathBuf,
    },
    /// Another process holds the lock.
    #[error(
        "another process has held {} for {} s. Wait for that process or end it: that releases the lock, and the \
         lock file can stay",
        shown(lock),
        waited.as_secs()
    )]
    Locked {
        /// The lock file.
        lock: PathBuf,
        /// How long this process waited.
        waited: Duration,
    },
    /// The file is not an archive of the expected kind.
    #[error(
        "{} is not a {expected} archive: its first bytes are {found}. It may be an error page \
         saved under that name",
        shown(archive)
    )]
    NotAnArchive {
        /// The file.
        archive: PathBuf,
        /// `.tgz`, or `.tgz or .zip`.
        expected: &'static str,
        /// The first bytes of the file.
        found: String,
    },
    /// The archive is truncated or damaged. Nothing was extracted.
    #[error(
        "{} is truncated or damaged: {}. Delete it and download it again",
        shown(archive),
        shown(reason)
    )]
    DamagedArchive {
        /// The archive.
        archive: PathBuf,
        /// What the reader found.
        reason: String,
    },
    /// The archive has an unsafe entry. Nothing was extracted.
    #[error(
        "{} has the entry {entry:?}, which is not safe to extract: {}",
        shown(archive),
        shown(reason)
    )]
    UnsafeEntry {
        /// The archive.
        archive: PathBuf,
        /// The name of the entry; characters that cannot be printed are replaced.
        entry: String,
        /// The rule that it breaks.
        reason: String,
    },
    /// The archive exceeds a limit. Nothing was extracted.
    #[error(
        "{} exceeds the limit on {limit}: expected at most {allowed}, found {found}. If you \
         trust it, raise the limit (archive::Limits)",
        shown(archive)
    )]
    ArchiveLimit {
        /// The archive.
        archive: PathBuf,
        /// Which limit.
        limit: &'static str,
        /// The limit.
        allowed: u64,
        /// The value found.
        found: u64,
    },
    /// The archive has no files.
    #[error("{} has no files", shown(archive))]
    EmptyArchive {
        /// The archive.
        archive: PathBuf,
    },
    /// The destination exists already.
    #[error(
        "{} exists already: delete it, choose another path, or replace or keep it (`with_force`, `with_resume`)",
        shown(path)
    )]
    AlreadyExists {
        /// The destination.
        path: PathBuf,
    },
}

impl From<HubError> for Error {
    fn from(error: HubError) -> Self {
        Self::Hub(error.into())
    }
}

/// A result with this crate's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

/// Like [`vision_base::io_error`], with the error type of this crate.
pub(crate) fn io_error<'a>(
    action: &'static str,
    path: &'a Path,
) -> impl FnOnce(io::Error) -> Error + 'a {
    move |source| vision_base::io_error(action, path)(source).into()
}
