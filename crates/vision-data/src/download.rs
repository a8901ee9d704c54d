//! One file from the network, whole and verified, or not at all.
//!
//! ```no_run
//! use vision_data::download::Download;
//!
//! let fetched = Download::new("https://download.pytorch.org/models/resnet18-f37072fd.pth", "weights/resnet18-f37072fd.pth")
//!     .with_sha256("f37072fd") // a beginning of at least 8 digits will do
//!     .with_size(46_830_571)
//!     .fetch()?;
//! println!("{} bytes, SHA-256 {}", fetched.bytes, fetched.sha256);
//! # Ok::<(), vision_data::Error>(())
//! ```
//!
//! What is promised:
//!
//! * A file under its final name is complete and verified: bytes go to `NAME.part`, are checked
//!   and synced, then renamed. A wrong hash leaves nothing behind.
//! * A file that is there already, put there by hand for instance, is verified and used; if it is
//!   not the right one the call ends in an error and leaves it alone.
//! * A download that broke off goes on where it stopped, if the server can tell that the file is
//!   still the same (or a hash can), and starts anew otherwise.
//! * Server errors and cut connections are tried again, with a growing pause; a machine without
//!   network is told so at once. Nothing waits for ever.
//! * Two processes do not write one file: the second waits at `NAME.lock` and uses the result.
//!
//! A mirror replaces the place, not the name: with `VISION_MIRROR` (or [`Options::with_mirror`])
//! set to a folder or a base URL, the last segment of the URL's path is looked up there, and
//! nowhere else. Proxies are taken from the usual variables (`HTTPS_PROXY`, `NO_PROXY`).

use std::env;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::error::{Error, Result, io_error};

use self::checksum::Expected;

mod checksum;
mod http;
pub(crate) mod lock;

pub(crate) use self::checksum::sha256_of;

/// The environment variable that names a mirror: a folder or a base URL.
pub const MIRROR_VARIABLE: &str = "VISION_MIRROR";

/// How to download. The defaults suit an interactive program.
#[derive(Clone, Debug)]
#[must_use]
pub struct Options {
    mirror: Mirror,
    max_size: u64,
    retries: u32,
    backoff: Duration,
    connect_timeout: Duration,
    idle_timeout: Duration,
    lock_timeout: Duration,
    progress: bool,
    replace: bool,
}

#[derive(Clone, Debug)]
enum Mirror {
    Environment,
    Never,
    At(String),
}

impl Default for Options {
    fn default() -> Self {
        Self {
            mirror: Mirror::Environment,
            max_size: 16 << 30,
            retries: 4,
            backoff: Duration::from_millis(500),
            connect_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(30),
            lock_timeout: Duration::from_secs(30 * 60),
            progress: true,
            replace: false,
        }
    }
}

impl Options {
    /// The defaults, each named at its method.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes files from this folder or base URL, whatever `VISION_MIRROR` says.
    pub fn with_mirror(mut self, folder_or_base_url: impl Into<String>) -> Self {
        self.mirror = Mirror::At(folder_or_base_url.into());
        self
    }

    /// Goes to the URL itself, whatever `VISION_MIRROR` says.
    pub fn without_mirror(mut self) -> Self {
        self.mirror = Mirror::Never;
        self
    }

    /// The largest file to accept, in bytes (16 GiB).
    pub fn with_max_size(mut self, bytes: u64) -> Self {
        self.max_size = bytes;
        self
    }

    /// How often to try again after the first attempt (4).
    pub fn with_retries(mut self, retries: u32) -> Self {
        self.retries = retries;
        self
    }

    /// The pause before the first retry (0.5 s); it doubles from one to the next, up to 30 s.
    pub fn with_backoff(mut self, pause: Duration) -> Self {
        self.backoff = pause;
        self
    }

    /// How long to wait for a connection (10 s).
    pub fn with_connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// How long a connection may stay silent (30 s).
    pub fn with_idle_timeout(mut self, timeout: Duration) -> Self {
        self.idle_timeout = timeout;
        self
    }

    /// How long to wait for another process that fetches the same file (30 min).
    pub fn with_lock_timeout(mut self, timeout: Duration) -> Self {
        self.lock_timeout = timeout;
        self
    }

    /// Whether to show a progress bar (yes). It goes to stderr, and only if that is a terminal.
    pub fn with_progress(mut self, progress: bool) -> Self {
        self.progress = progress;
        self
    }

    /// Whether to fetch the file even if it is there already, and replace it (no).
    pub fn with_replace(mut self, replace: bool) -> Self {
        self.replace = replace;
        self
    }

    pub(crate) fn lock_timeout(&self) -> Duration {
        self.lock_timeout
    }
}

/// One file to fetch: from where, to where, and what is known of it.
#[derive(Clone, Debug)]
#[must_use = "nothing happens before `fetch`"]
pub struct Download {
    url: String,
    file: PathBuf,
    sha256: Option<String>,
    size: Option<u64>,
    options: Options,
}

/// Where a fetched file came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Origin {
    /// It was in place already.
    Cache,
    /// It was copied from a mirror folder.
    Folder,
    /// It was downloaded, from the URL or a mirror.
    Network,
}

/// A file that is complete and verified.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Fetched {
    /// The file.
    pub path: PathBuf,
    /// Its length, in bytes.
    pub bytes: u64,
    /// Its SHA-256, as 64 lower-case hexadecimal digits.
    pub sha256: String,
    /// Where it came from.
    pub origin: Origin,
}

impl Download {
    /// `url` (http or https) to `file`. Missing folders are made.
    pub fn new(url: impl Into<String>, file: impl Into<PathBuf>) -> Self {
        Self {
            url: url.into(),
            file: file.into(),
            sha256: None,
            size: None,
            options: Options::default(),
        }
    }

    /// The SHA-256 it must have: 64 hexadecimal digits, or a beginning of at least 8 (the names of
    /// torchvision's weights carry 8).
    pub fn with_sha256(mut self, digits: impl Into<String>) -> Self {
        self.sha256 = Some(digits.into());
        self
    }

    /// The length it must have, in bytes.
    pub fn with_size(mut self, bytes: u64) -> Self {
        self.size = Some(bytes);
        self
    }

    /// How to download.
    pub fn with_options(mut self, options: Options) -> Self {
        self.options = options;
        self
    }

    /// Brings the file to its place, or finds it there.
    ///
    /// # Errors
    ///
    /// [`Error::BadUrl`] and [`Error::BadHash`] before anything is done; [`Error::NotTheFile`] if
    /// another file is in the place; [`Error::Offline`], [`Error::HttpStatus`] and
    /// [`Error::Interrupted`] when the file cannot be had; [`Error::NotInMirror`];
    /// [`Error::SizeMismatch`], [`Error::HashMismatch`] and [`Error::TooLarge`] when it is not what
    /// was meant; [`Error::Locked`]; [`Error::Io`].
    pub fn fetch(&self) -> Result<Fetched> {
        let name = file_name(&self.url)?;
        let expected = Expected::new(self.sha256.as_deref(), self.size)?;
        if let Some(found) = self.in_place(&expected)? {
            return Ok(found);
        }

        let folder = parent_of(&self.file);
        fs::create_dir_all(folder).map_err(io_error("create the folder", folder))?;
        let lock = sibling(&self.file, ".lock");
        let _lock = lock::acquire(&lock, self.options.lock_timeout)?;
        // Whoever held the lock may have brought the file.
        if let Some(found) = self.in_place(&expected)? {
            return Ok(found);
        }

        let part = sibling(&self.file, ".part");
        let (bytes, sha256, origin) = match self.source(name)? {
            Source::Folder(original) => {
                self.copy(&original, &part)?;
                let from = original.display().to_string();
                let (bytes, sha256) = self.verify(&part, &from, &expected)?;
                (bytes, sha256, Origin::Folder)
            }
            Source::Http(url) => {
                let resumed = http::get(self, &url, &part)?;
                let verified = match self.verify(&part, &url, &expected) {
                    // The older bytes may be to blame, so they get no second chance.
                    Err(Error::HashMismatch { .. } | Error::SizeMismatch { .. }) if resumed => {
                        http::get(self, &url, &part)?;
                        self.verify(&part, &url, &expected)
                    }
                    verified => verified,
                };
                let (bytes, sha256) = verified?;
                (bytes, sha256, Origin::Network)
            }
        };
        commit(&part, &self.file)?;
        Ok(Fetched {
            path: self.file.clone(),
            bytes,
            sha256,
            origin,
        })
    }

    /// The file in place, verified, unless there is none or it is to be replaced.
    fn in_place(&self, expected: &Expected) -> Result<Option<Fetched>> {
        if self.options.replace || !self.file.is_file() {
            return Ok(None);
        }
        let (bytes, sha256) = expected
            .check(&self.file)?
            .map_err(|mismatch| mismatch.in_place(&self.url, &self.file))?;
        Ok(Some(Fetched {
            path: self.file.clone(),
            bytes,
            sha256,
            origin: Origin::Cache,
        }))
    }

    /// Checks the finished `part` and removes it if it is wrong.
    fn verify(&self, part: &Path, from: &str, expected: &Expected) -> Result<(u64, String)> {
        expected.check(part)?.map_err(|mismatch| {
            http::discard(part);
            mismatch.fetched(from, &self.file)
        })
    }

    fn source(&self, name: &str) -> Result<Source> {
        let mirror = match &self.options.mirror {
            Mirror::Never => None,
            Mirror::At(mirror) => Some(mirror.clone()),
            Mirror::Environment => env::var_os(MIRROR_VARIABLE)
                .filter(|mirror| !mirror.is_empty())
                .map(|mirror| mirror.to_string_lossy().into_owned()),
        };
        Ok(match mirror {
            None => Source::Http(self.url.clone()),
            Some(base) if is_http(&base) => {
                Source::Http(format!("{}/{name}", base.trim_end_matches('/')))
            }
            Some(folder) => {
                let path = Path::new(&folder).join(name);
                if !path.is_file() {
                    return Err(Error::NotInMirror {
                        url: self.url.clone(),
                        path,
                    });
                }
                Source::Folder(path)
            }
        })
    }

    fn copy(&self, original: &Path, part: &Path) -> Result<()> {
        let mut from = File::open(original).map_err(io_error("open", original))?;
        let length = from.metadata().map_err(io_error("read", original))?.len();
        self.check_length(&original.display().to_string(), length)?;
        let mut to = File::create(part).map_err(io_error("create", part))?;
        io::copy(&mut from, &mut to).map_err(io_error("copy to", part))?;
        Ok(())
    }

    /// Refuses an announced length that cannot be right, before any byte is moved.
    fn check_length(&self, url: &str, length: u64) -> Result<()> {
        match self.size {
            Some(expected) if expected != length => Err(Error::SizeMismatch {
                url: url.to_owned(),
                file: self.file.clone(),
                expected,
                found: length,
            }),
            _ if length > self.options.max_size => Err(Error::TooLarge {
                url: url.to_owned(),
                limit: self.options.max_size,
                found: length,
            }),
            _ => Ok(()),
        }
    }
}

enum Source {
    Folder(PathBuf),
    Http(String),
}

pub(crate) fn is_http(text: &str) -> bool {
    let lower = text.get(..8).unwrap_or(text).to_ascii_lowercase();
    lower.starts_with("http://") || lower.starts_with("https://")
}

/// The last segment of the URL's path, if it can be the name of a file.
pub(crate) fn file_name(url: &str) -> Result<&str> {
    let bad = |reason| Error::BadUrl {
        url: url.to_owned(),
        reason,
    };
    if !is_http(url) {
        return Err(bad("expected it to begin with http:// or https://"));
    }
    if url.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err(bad("it holds white space"));
    }
    let path = url.split(['?', '#']).next().unwrap_or(url);
    let after_scheme = path.split_once("://").map_or(path, |(_, rest)| rest);
    let Some((_host, path)) = after_scheme.split_once('/') else {
        return Err(bad("it names no file"));
    };
    match path.rsplit('/').next().unwrap_or("") {
        "" | "." | ".." => Err(bad("it names no file")),
        name if name.contains(['\\', ':']) => Err(bad("its last segment cannot be a file name")),
        name => Ok(name),
    }
}

/// `folder/name` + `suffix`, in the same folder.
pub(crate) fn sibling(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(suffix);
    file.with_file_name(name)
}

/// The folder of a file; the current one for a bare name.
pub(crate) fn parent_of(file: &Path) -> &Path {
    match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Gives the finished part its final name, so that a crash at any moment leaves either no file of
/// that name or all of it: contents first, then the name, then the folder that holds the name.
fn commit(part: &Path, file: &Path) -> Result<()> {
    File::options()
        .write(true)
        .open(part)
        .and_then(|handle| handle.sync_all())
        .map_err(io_error("sync", part))?;
    fs::rename(part, file).map_err(io_error("rename to", file))?;
    http::forget(part);
    sync_folder(parent_of(file))
}

/// Makes a rename last. Windows has no such call, and needs none.
pub(crate) fn sync_folder(folder: &Path) -> Result<()> {
    if cfg!(unix) {
        File::open(folder)
            .and_then(|handle| handle.sync_all())
            .map_err(io_error("sync the folder", folder))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_file_name_is_the_last_segment_of_the_path() {
        for (url, name) in [
            ("http://host/a.tgz", "a.tgz"),
            ("HTTPS://host/x/y/b.pth?download=1#top", "b.pth"),
        ] {
            assert_eq!(file_name(url).unwrap(), name);
        }
    }

    #[test]
    fn a_url_without_a_usable_file_name_is_refused() {
        for url in [
            "",
            "a.tgz",
            "ftp://host/a.tgz",
            "file:///a.tgz",
            "http://host",
            "http://host/",
            "http://host/..",
            "http://host/a b",
            "http://host/c:\\a",
            "http://host?q=/a.tgz",
            "é",
        ] {
            assert!(
                matches!(file_name(url), Err(Error::BadUrl { .. })),
                "{url:?} was accepted"
            );
        }
    }
}
