//! Downloads one file, complete and verified, or not at all.
//!
//! ```no_run
//! use vision_fetch::Download;
//!
//! let fetched = Download::new("https://download.pytorch.org/models/resnet18-f37072fd.pth", "weights/resnet18-f37072fd.pth")
//!     .with_sha256("f37072fd") // the first 8 digits or more
//!     .with_size(46_830_571)
//!     .fetch()?;
//! println!("{} bytes, SHA-256 {}", fetched.bytes, fetched.sha256);
//! # Ok::<(), vision_fetch::Error>(())
//! ```
//!
//! Guarantees:
//!
//! * A file under its final name is complete and verified. Bytes go to `NAME.part`, are checked and
//!   synced, and the file is then renamed. A wrong hash leaves nothing behind.
//! * A file that exists already, for example one put there by hand, is verified and used. If it is
//!   not the right file, the call returns an error and leaves it unchanged.
//! * An interrupted download resumes where it stopped, if the server (or a hash) can confirm that
//!   the file is still the same. Otherwise it starts again.
//! * Server errors and broken connections are retried, with growing pauses. Without a network the
//!   call fails at once. Every wait has a limit.
//! * Two processes never write the same file: the second one waits at `NAME.lock` and uses the
//!   result.
//!
//! A mirror replaces the location, not the name: if `VISION_MIRROR` (or [`Options::with_mirror`])
//! is set to a folder or a base URL, only that place is searched, for the last segment of the URL's
//! path. `VISION_OFFLINE=1` (or
//! [`Options::with_offline`]) forbids the network. The usual variables (`HTTPS_PROXY`, `NO_PROXY`) set proxies,
//! and `SSL_CERT_FILE` (or [`Options::with_certificates`]) the certificate authorities that are trusted.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::{env, fmt, io};

use vision_base::message::shown;
use vision_base::paths::{open_file, parent_of, sibling, sync_folder};

use crate::checksum::{Etag, Expected};
use crate::error::{Error, Result, io_error};
use crate::options::{Mirror, Options, means_yes};
use crate::url::{check_url, file_name, is_http};
use crate::{http, lock};

/// The environment variable that sets a mirror: a folder or a base URL.
pub const MIRROR_VARIABLE: &str = "VISION_MIRROR";

/// The environment variable that forbids downloads, see [`Options::with_offline`].
pub const OFFLINE_VARIABLE: &str = "VISION_OFFLINE";

/// A file to download: its URL, its destination, and its expected properties.
#[derive(Clone, Debug)]
#[must_use = "nothing happens before `fetch`"]
pub struct Download {
    pub(crate) url: String,
    pub(crate) file: PathBuf,
    pub(crate) sha256: Option<String>,
    pub(crate) size: Option<u64>,
    /// Whether the path of the URL must end with a file name.
    pub(crate) named: bool,
    /// The hash by which the hub names the file.
    etag: Option<Etag>,
    /// Sent to the host of the URL, and not to one that it redirects to.
    pub(crate) token: Option<Secret>,
    /// The lock file, if not beside the file.
    lock: Option<PathBuf>,
    pub(crate) options: Options,
}

/// A text that no message shows.
#[derive(Clone)]
pub(crate) struct Secret(pub(crate) String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// The origin of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Origin {
    /// It existed already.
    Cache,
    /// It was copied from a mirror folder, or from the file given to [`Download::install`].
    Folder,
    /// It was downloaded, from the URL or a mirror.
    Network,
}

/// A complete, verified file.
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
    /// A download of `url` (http or https) to `file`. Missing folders are created.
    pub fn new(url: impl Into<String>, file: impl Into<PathBuf>) -> Self {
        Self {
            url: url.into(),
            file: file.into(),
            sha256: None,
            size: None,
            named: true,
            etag: None,
            token: None,
            lock: None,
            options: Options::default(),
        }
    }

    /// `url` into `folder`, under its own name, which carries the beginning of the file's SHA-256 as the names of
    /// PyTorch's weights do: `resnet18-f37072fd.pth`.
    ///
    /// # Errors
    ///
    /// [`Error::BadUrl`] if the name has no such digits: without them nothing could be verified.
    ///
    /// ```
    /// use vision_fetch::{Download, Error};
    ///
    /// let weights = Download::named_by_hash("https://example.org/flowers-0123abcd.safetensors", "weights")?;
    /// assert!(weights.file().ends_with("weights/flowers-0123abcd.safetensors"));
    /// let error = Download::named_by_hash("https://example.org/flowers.safetensors", "weights");
    /// assert!(matches!(error, Err(Error::BadUrl { .. })));
    /// # Ok::<(), Error>(())
    /// ```
    pub fn named_by_hash(url: impl Into<String>, folder: impl AsRef<Path>) -> Result<Self> {
        let url = url.into();
        let name = file_name(&url)?.to_owned();
        let stem = name.rsplit_once('.').map_or(&*name, |(stem, _)| stem);
        let digits = stem.rsplit_once('-').map_or("", |(_, digits)| digits);
        if !(8..=64).contains(&digits.len()) || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(Error::BadUrl {
                url,
                reason: "expected a name that ends in a hyphen and at least 8 digits of the file's SHA-256 \
                         (flowers-0123abcd.safetensors); without them the file cannot be verified",
            });
        }
        let digits = digits.to_owned();
        Ok(Self::new(url, folder.as_ref().join(name)).with_sha256(digits))
    }

    /// Where the file goes.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// The digits of the SHA-256 that it must have.
    pub fn sha256(&self) -> Option<&str> {
        self.sha256.as_deref()
    }

    /// The expected SHA-256: 64 hexadecimal digits, or the first 8 or more (the names of
    /// torchvision's weights contain 8).
    pub fn with_sha256(mut self, digits: impl Into<String>) -> Self {
        self.sha256 = Some(digits.into());
        self
    }

    /// The expected length, in bytes.
    pub fn with_size(mut self, bytes: u64) -> Self {
        self.size = Some(bytes);
        self
    }

    /// Also accepts a URL whose path does not end with a file name. A mirror cannot provide such a
    /// file.
    pub fn nameless(mut self) -> Self {
        self.named = false;
        self
    }

    pub(crate) fn of_etag(mut self, etag: Etag) -> Self {
        // With a whole SHA-256 a part can be resumed whatever the server says of it.
        if let Etag::Sha256(digits) = &etag {
            self.sha256 = Some(digits.clone());
        }
        self.etag = Some(etag);
        self
    }

    pub(crate) fn with_token(mut self, token: &str) -> Self {
        self.token = Some(Secret(token.to_owned()));
        self
    }

    pub(crate) fn locked_at(mut self, lock: PathBuf) -> Self {
        self.lock = Some(lock);
        self
    }

    /// Sets the download options.
    pub fn with_options(mut self, options: Options) -> Self {
        self.options = options;
        self
    }

    /// Downloads the file, or verifies the file that exists already.
    ///
    /// # Errors
    ///
    /// [`Error::BadUrl`] and [`Error::BadHash`] before anything else; [`Error::NotTheFile`] if
    /// another file is at the destination; [`Error::Forbidden`], [`Error::Offline`],
    /// [`Error::HttpStatus`] and
    /// [`Error::Interrupted`] if the download fails; [`Error::Certificates`] and [`Error::Untrusted`] if it should be
    /// encrypted; [`Error::NotInMirror`];
    /// [`Error::SizeMismatch`], [`Error::HashMismatch`] and [`Error::TooLarge`] if the file is not
    /// the expected one; [`Error::Locked`]; [`Error::Io`].
    pub fn fetch(&self) -> Result<Fetched> {
        self.bring(None)
    }

    /// Copies a local file to the destination, with the same checks and the same lock as
    /// [`fetch`](Self::fetch). If the right file exists already, it is used.
    ///
    /// # Errors
    ///
    /// As [`fetch`](Self::fetch), without the network errors; [`Error::Io`] if `original` cannot be
    /// read.
    pub fn install(&self, original: &Path) -> Result<Fetched> {
        self.bring(Some(original))
    }

    fn bring(&self, original: Option<&Path>) -> Result<Fetched> {
        match self.named {
            true => file_name(&self.url).map(drop)?,
            false => check_url(&self.url)?,
        }
        let expected = match &self.etag {
            Some(etag) => Expected::of_etag(etag, self.size),
            None => Expected::new(self.sha256.as_deref(), self.size)?,
        };
        if let Some(found) = self.in_place(&expected)? {
            return Ok(found);
        }

        let folder = parent_of(&self.file);
        fs::create_dir_all(folder).map_err(io_error("create the folder", folder))?;
        let lock = match &self.lock {
            Some(lock) => lock.clone(),
            None => sibling(&self.file, ".lock"),
        };
        let folder = parent_of(&lock);
        fs::create_dir_all(folder).map_err(io_error("create the folder", folder))?;
        let _lock = lock::acquire(&lock, self.options.lock_timeout)?;
        // Another process may have downloaded the file before it released the lock.
        if let Some(found) = self.in_place(&expected)? {
            return Ok(found);
        }

        let part = sibling(&self.file, ".part");
        let (bytes, sha256, origin) = match self.source(original)? {
            Source::Folder(original) => {
                self.copy(&original, &part)?;
                let from = shown(original);
                let (bytes, sha256) = self.verify(&part, &from, &expected)?;
                (bytes, sha256, Origin::Folder)
            }
            Source::Http(url) => {
                let resumed = http::get(self, &url, &part)?;
                let verified = match self.verify(&part, &url, &expected) {
                    // The resumed bytes may be wrong, so they are not kept for another attempt.
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

    /// The verified file at the destination; `None` if it does not exist or is to be replaced.
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

    /// Verifies the finished `part`, and removes it if it is wrong.
    fn verify(&self, part: &Path, from: &str, expected: &Expected) -> Result<(u64, String)> {
        expected.check(part)?.map_err(|mismatch| {
            http::discard(part);
            mismatch.fetched(from, &self.file)
        })
    }

    fn source(&self, original: Option<&Path>) -> Result<Source> {
        if let Some(original) = original {
            return Ok(Source::Folder(original.to_owned()));
        }
        let mirror = match &self.options.mirror {
            Mirror::Never => None,
            Mirror::At(mirror) => Some(mirror.clone()),
            Mirror::Environment => env::var_os(MIRROR_VARIABLE)
                .filter(|mirror| !mirror.is_empty())
                .map(|mirror| mirror.to_string_lossy().into_owned()),
        };
        Ok(match mirror {
            None => self.online(self.url.clone())?,
            Some(base) if is_http(&base) => {
                let name = file_name(&self.url)?;
                self.online(format!("{}/{name}", base.trim_end_matches('/')))?
            }
            Some(folder) => {
                let path = Path::new(&folder).join(file_name(&self.url)?);
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

    /// A source on the network, unless that is forbidden.
    fn online(&self, url: String) -> Result<Source> {
        let by = if self.options.offline {
            "with_offline(true)"
        } else if env::var_os(OFFLINE_VARIABLE).is_some_and(|value| means_yes(&value)) {
            "VISION_OFFLINE is set"
        } else {
            return Ok(Source::Http(url));
        };
        let file = self.file.clone();
        Err(Error::Forbidden { url, file, by })
    }

    fn copy(&self, original: &Path, part: &Path) -> Result<()> {
        // A folder cannot be copied, and a pipe without a writer would block forever.
        let metadata = fs::metadata(original).map_err(io_error("open", original))?;
        if !metadata.is_file() {
            let reason = io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file");
            return Err(io_error("copy", original)(reason));
        }
        let mut from = open_file(original)?;
        let length = metadata.len();
        self.check_length(&shown(original), length)?;
        let mut to = File::create(part).map_err(io_error("create", part))?;
        io::copy(&mut from, &mut to).map_err(|source| {
            let from = shown(original);
            let reason = io::Error::new(source.kind(), format!("{source} (from {from})"));
            io_error("copy to", part)(reason)
        })?;
        Ok(())
    }

    /// Rejects an announced length that cannot be right, before the transfer starts.
    pub(crate) fn check_length(&self, url: &str, length: u64) -> Result<()> {
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

/// Gives the finished part its final name. After a crash at any moment the file is either absent or
/// complete: sync the contents, then rename, then sync the folder.
fn commit(part: &Path, file: &Path) -> Result<()> {
    File::options()
        .write(true)
        .open(part)
        .and_then(|handle| handle.sync_all())
        .map_err(io_error("sync", part))?;
    fs::rename(part, file).map_err(io_error("rename to", file))?;
    http::forget(part);
    Ok(sync_folder(parent_of(file))?)
}
