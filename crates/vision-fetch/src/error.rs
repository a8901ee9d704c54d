//! The error of this crate.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use vision_base::IoError;
use vision_base::message::shown;

/// What can go wrong in this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused something.
    #[error(transparent)]
    Io(#[from] IoError),
    /// The cache folder cannot be worked out.
    #[error(
        "no home folder is known, so there is nowhere to keep data: set {variable} to a folder"
    )]
    NoHome {
        /// The environment variable that settles it.
        variable: &'static str,
    },
    /// The URL cannot be used.
    #[error("bad URL {url:?}: {reason}")]
    BadUrl {
        /// The URL, as given.
        url: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// An expected hash is not a SHA-256 or a beginning of one.
    #[error(
        "bad SHA-256 {given:?}: expected 8 to 64 hexadecimal digits, found {} characters",
        given.chars().count()
    )]
    BadHash {
        /// The hash, as given.
        given: String,
    },
    /// Nobody answered.
    #[error(
        "cannot reach {url}: {reason}. If this machine has no network, fetch that URL by other \
         means and put the file at {}; or set VISION_MIRROR to a folder (or base URL) that holds it",
        shown(file),
        url = shown(url)
    )]
    Offline {
        /// The URL that was tried.
        url: String,
        /// Where the file is expected; one put there by hand is verified and used.
        file: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// The server answered, but not with the file.
    #[error(
        "{url} answered HTTP status {status} ({attempts} attempt(s)); fetch the file by other \
         means, put it at {}, or set VISION_MIRROR to a folder (or base URL) that holds it",
        shown(file),
        url = shown(url)
    )]
    HttpStatus {
        /// The URL that was tried.
        url: String,
        /// Where the file is expected; one put there by hand is verified and used.
        file: PathBuf,
        /// The last status.
        status: u16,
        /// How often it was tried.
        attempts: u32,
    },
    /// The connection broke before the end, every time.
    #[error(
        "the download of {url} broke off after {found} of {} bytes ({attempts} attempts, last: \
         {reason}); run it again, it goes on from {}",
        expected.map_or_else(|| "an unknown number of".to_owned(), |n| n.to_string()),
        shown(part),
        url = shown(url)
    )]
    Interrupted {
        /// The URL.
        url: String,
        /// The unfinished file, kept so that the next call can go on from it.
        part: PathBuf,
        /// The length that was promised, in bytes.
        expected: Option<u64>,
        /// The length so far, in bytes.
        found: u64,
        /// How often it was tried.
        attempts: u32,
        /// How the last attempt ended.
        reason: String,
    },
    /// A file has another length than it should.
    #[error(
        "{url} has the wrong size: expected {expected} bytes, found {found} (for {}); the file \
         has changed at its source, or a mirror holds another one",
        shown(file),
        url = shown(url)
    )]
    SizeMismatch {
        /// The URL or file it came from.
        url: String,
        /// Where it was going.
        file: PathBuf,
        /// Bytes expected.
        expected: u64,
        /// Bytes found.
        found: u64,
    },
    /// A file has another SHA-256 than it should. Nothing was left under the final name.
    #[error(
        "{url} has the wrong SHA-256: expected {expected}, found {found} (for {}); nothing was \
         kept. The file has changed at its source, or somebody tampers with it",
        shown(file),
        url = shown(url)
    )]
    HashMismatch {
        /// The URL or file it came from.
        url: String,
        /// Where it was going.
        file: PathBuf,
        /// The digits expected (a beginning, or all 64).
        expected: String,
        /// The 64 digits found.
        found: String,
    },
    /// A file that is already in place is not the one that was asked for.
    #[error(
        "{} is not the file that {url} stands for: expected {expected}, found {found}; delete it \
         to fetch it anew",
        shown(file),
        url = shown(url)
    )]
    NotTheFile {
        /// The file in place. It is left alone.
        file: PathBuf,
        /// The URL it was taken for.
        url: String,
        /// Size or SHA-256 expected.
        expected: String,
        /// Size or SHA-256 found.
        found: String,
    },
    /// The download is larger than allowed.
    #[error(
        "{url} has {found} bytes or more, but at most {limit} are allowed (with_max_size)",
        url = shown(url)
    )]
    TooLarge {
        /// The URL.
        url: String,
        /// The cap, in bytes.
        limit: u64,
        /// What was announced or received, in bytes.
        found: u64,
    },
    /// The mirror folder lacks the file.
    #[error(
        "the mirror has no {} (for {url}): put it there, or unset VISION_MIRROR",
        shown(path),
        url = shown(url)
    )]
    NotInMirror {
        /// The URL that was asked for.
        url: String,
        /// The file that should be there.
        path: PathBuf,
    },
    /// Another process holds the lock.
    #[error(
        "another process has held {} for {} s; wait for it or end it (the lock goes with the \
         process, the file itself may stay)",
        shown(lock),
        waited.as_secs()
    )]
    Locked {
        /// The lock file.
        lock: PathBuf,
        /// How long was waited.
        waited: Duration,
    },
    /// The file is not an archive of the kind that is expected.
    #[error(
        "{} is not a {expected} archive: its first bytes do not say so, found {found}; it may be an error \
         page saved under that name",
        shown(archive)
    )]
    NotAnArchive {
        /// The file.
        archive: PathBuf,
        /// `.tgz`, or `.tgz or .zip`.
        expected: &'static str,
        /// How it begins.
        found: String,
    },
    /// The archive is truncated or damaged. Nothing was extracted.
    #[error(
        "{} is truncated or damaged: {}; delete it and fetch it again",
        shown(archive),
        shown(reason)
    )]
    DamagedArchive {
        /// The archive.
        archive: PathBuf,
        /// What the reader met.
        reason: String,
    },
    /// The archive holds an entry that is not extracted for safety. Nothing was extracted.
    #[error(
        "{} holds {entry:?}, which is not safe to extract: {}",
        shown(archive),
        shown(reason)
    )]
    UnsafeEntry {
        /// The archive.
        archive: PathBuf,
        /// The name of the entry, with anything unprintable replaced.
        entry: String,
        /// The rule it breaks.
        reason: String,
    },
    /// The archive goes beyond a limit. Nothing was extracted.
    #[error(
        "{} goes beyond the limit on {limit}: at most {allowed} allowed, found {found}; if you \
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
        /// What was reached.
        found: u64,
    },
    /// The archive has no file at all.
    #[error("{} holds no file", shown(archive))]
    EmptyArchive {
        /// The archive.
        archive: PathBuf,
    },
    /// The destination is there already.
    #[error(
        "{} exists already: delete it, choose another place, or ask for it to be replaced or kept \
         (`with_force`, `with_resume`)",
        shown(path)
    )]
    AlreadyExists {
        /// The destination.
        path: PathBuf,
    },
}

/// A result with this crate's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

/// As [`vision_base::io_error`], with this crate's error.
pub(crate) fn io_error<'a>(
    action: &'static str,
    path: &'a Path,
) -> impl FnOnce(io::Error) -> Error + 'a {
    move |source| vision_base::io_error(action, path)(source).into()
}
