//! The location and name of a dataset.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use vision_fetch::cache;

use crate::error::Result;

/// Digits of a hash in the name of a folder.
const DIGITS: usize = 12;

/// An archive on the network that contains a dataset.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Dataset {
    url: Cow<'static, str>,
    size: Option<u64>,
    sha256: Option<Cow<'static, str>>,
}

impl Dataset {
    /// The dataset at `url`, a `.tgz` archive (http or https).
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: Cow::Owned(url.into()),
            size: None,
            sha256: None,
        }
    }

    pub(super) const fn known(url: &'static str, size: u64) -> Self {
        Self {
            url: Cow::Borrowed(url),
            size: Some(size),
            sha256: None,
        }
    }

    /// Requires the archive to have this length, in bytes.
    pub fn with_size(mut self, bytes: u64) -> Self {
        self.size = Some(bytes);
        self
    }

    /// Requires this SHA-256 of the archive: 64 hexadecimal digits, or a prefix of at least 8. The dataset then has a folder
    /// of its own for this hash.
    pub fn with_sha256(mut self, digits: impl Into<String>) -> Self {
        self.sha256 = Some(Cow::Owned(digits.into()));
        self
    }

    /// The URL of the archive.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The length of the archive in bytes, if known.
    pub fn size(&self) -> Option<u64> {
        self.size
    }

    /// The SHA-256 of the archive, or its prefix, if known.
    pub fn sha256(&self) -> Option<&str> {
        self.sha256.as_deref()
    }

    /// The name of the dataset and of its folder: the URL's last segment without `.tgz`.
    ///
    /// # Errors
    ///
    /// [`vision_fetch::Error::BadUrl`] if the URL names no file.
    pub fn name(&self) -> Result<&str> {
        let name = stem(vision_fetch::file_name(&self.url)?);
        if name.is_empty() || name.starts_with('.') {
            return Err(vision_fetch::Error::BadUrl {
                url: self.url.to_string(),
                reason: "its last segment cannot be the name of a folder",
            }
            .into());
        }
        Ok(name)
    }

    /// Its folder and its archive in the folders for both: those with a hash have one of their own for it, so that another
    /// archive of the same name is never mistaken for this one.
    ///
    /// # Errors
    ///
    /// As [`name`](Self::name), and [`vision_fetch::Error::BadHash`].
    pub(super) fn places(&self, data: &Path, archives: &Path) -> Result<(PathBuf, PathBuf)> {
        let (name, file) = (self.name()?, vision_fetch::file_name(&self.url)?);
        let Some(digits) = self.sha256() else {
            return Ok((data.join(name), archives.join(file)));
        };
        // It becomes a part of a path before the download checks it.
        if !(8..=64).contains(&digits.len()) || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(vision_fetch::Error::BadHash {
                given: digits.to_owned(),
            }
            .into());
        }
        let digits = digits.to_ascii_lowercase();
        let own = format!("sha256-{}", &digits[..digits.len().min(DIGITS)]);
        Ok((data.join(&own).join(name), archives.join(&own).join(file)))
    }

    /// The folder of this dataset in the cache, if it is there. Needs no network.
    ///
    /// # Errors
    ///
    /// [`vision_fetch::Error::BadUrl`] if the URL names no file, [`vision_fetch::Error::BadHash`] if the hash is none,
    /// [`vision_fetch::Error::NoHome`] if there is no cache folder.
    ///
    /// ```
    /// use vision_data::datasets::Urls;
    ///
    /// match Urls::MNIST_SAMPLE.cached()? {
    ///     Some(path) => println!("it is in {}", path.display()),
    ///     None => println!("untar_data would download 3.2 MB"),
    /// }
    /// # Ok::<(), vision_data::Error>(())
    /// ```
    pub fn cached(&self) -> Result<Option<PathBuf>> {
        let (folder, _) = self.places(&cache::data_dir()?, Path::new(""))?;
        Ok(folder.is_dir().then_some(folder))
    }
}

/// A file name without `.tgz` or `.tar.gz`.
pub(super) fn stem(name: &str) -> &str {
    [".tgz", ".tar.gz"]
        .into_iter()
        .find_map(|suffix| name.strip_suffix(suffix))
        .unwrap_or(name)
}
