//! fastai's datasets by name, and [`untar_data`], which downloads and extracts them.
//!
//! ```no_run
//! use vision_data::datasets::{Urls, untar_data};
//!
//! let path = untar_data(Urls::MNIST_SAMPLE)?; // ~/.cache/vision/data/mnist_sample
//! # Ok::<(), vision_data::Error>(())
//! ```
//!
//! Locations and sizes are those of fastai 2.8 (`fastai/data/external.py`, `download_checks.py`),
//! whose sizes equal fastai v1's for every dataset that both list. Only the size is verified:
//! fastai publishes just the MD5 of the first MiB, and a SHA-256 is given here only if we have seen
//! the original bytes, which is not yet the case for any dataset. All downloads use https, unlike
//! in fastai v1, and [`Dataset::with_sha256`] pins a hash that you know.

pub(crate) mod dataset;
pub(crate) mod download_images;
pub(crate) mod source;
pub mod synthetic;
pub(crate) mod urls;

use std::path::{Path, PathBuf};

use vision_fetch::archive::{self, Existing, Limits};
use vision_fetch::{Download, Options, cache};

use crate::databunch::error::DataError;
pub use crate::datasets::dataset::Dataset;
use crate::datasets::dataset::stem;
pub use crate::datasets::download_images::{
    ImageOutcome, ImageResult, ImagesConfig, ImagesReport, download_images, urls_in_file,
};
pub use crate::datasets::source::Source;
pub use crate::datasets::urls::Urls;
use crate::error::{Error, Result};

/// How to download and extract a dataset.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct UntarConfig {
    dest: Option<PathBuf>,
    archive_dir: Option<PathBuf>,
    force: bool,
    limits: Limits,
    download: Options,
}

impl UntarConfig {
    /// The defaults, listed at each method.
    pub fn new() -> Self {
        Self::default()
    }

    /// The parent of the dataset's folder. Default: [`cache::data_dir`].
    pub fn with_dest(mut self, folder: impl Into<PathBuf>) -> Self {
        self.dest = Some(folder.into());
        self
    }

    /// The folder for the archive. Default: [`cache::archive_dir`].
    pub fn with_archive_dir(mut self, folder: impl Into<PathBuf>) -> Self {
        self.archive_dir = Some(folder.into());
        self
    }

    /// Whether to download and extract again, replacing archive and data. Default: no.
    pub fn with_force(mut self, force: bool) -> Self {
        self.force = force;
        self
    }

    /// Takes the archive from this folder or base URL, overriding `VISION_MIRROR`.
    pub fn with_mirror(mut self, folder_or_base_url: impl Into<String>) -> Self {
        self.download = self.download.with_mirror(folder_or_base_url);
        self
    }

    /// The limits for the content of the archive.
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// All other download options; their mirror replaces one set earlier.
    pub fn with_download(mut self, options: Options) -> Self {
        self.download = options;
        self
    }
}

/// Downloads and extracts a dataset, and returns its folder. The archive is downloaded into the
/// cache and verified, and extracted; steps that are already done are skipped.
///
/// `source` is a constant of [`Urls`], a [`Dataset`], a URL, or a path. A local `.tgz` is extracted
/// whatever its size, into a folder `local-<SHA-256>/NAME` of the cache; a local folder is returned
/// unchanged. A folder with the dataset's name is always complete, see [`archive`]. A dataset with a hash is extracted
/// into a folder `sha256-DIGITS/NAME`. Two URLs without a hash and with the same last segment share a folder; use
/// [`UntarConfig::with_dest`] to keep them apart.
///
/// # Errors
///
/// The errors of [`Download::fetch`] and [`archive::extract_tgz`]; [`vision_fetch::Error::NoHome`];
/// [`DataError::NoSuchSource`] for a path that does not exist.
pub fn untar_data(source: impl Into<Source>) -> Result<PathBuf> {
    untar_data_with(source, &UntarConfig::default())
}

/// [`untar_data`] with options: folders, mirror, limits, or a forced download.
///
/// # Errors
///
/// Same as [`untar_data`].
///
/// ```no_run
/// use vision_data::datasets::{UntarConfig, untar_data_with};
/// use vision_data::datasets::Urls;
///
/// let config = UntarConfig::new().with_dest("data").with_mirror("/mnt/mirror");
/// let path = untar_data_with(Urls::PETS, &config)?; // data/oxford-iiit-pet
/// # Ok::<(), vision_data::Error>(())
/// ```
pub fn untar_data_with(source: impl Into<Source>, config: &UntarConfig) -> Result<PathBuf> {
    match source.into() {
        Source::Remote(dataset) => remote(&dataset, config),
        Source::Local(path) => local(path, config),
    }
}

fn remote(dataset: &Dataset, config: &UntarConfig) -> Result<PathBuf> {
    let archives = match &config.archive_dir {
        Some(folder) => folder.clone(),
        None => cache::archive_dir()?,
    };
    let (folder, file) = dataset.places(&dest(config)?, &archives)?;
    if !config.force && folder.is_dir() {
        return Ok(folder);
    }
    let mut download = Download::new(dataset.url(), file)
        .with_options(config.download.clone().with_replace(config.force));
    if let Some(bytes) = dataset.size() {
        download = download.with_size(bytes);
    }
    if let Some(digits) = dataset.sha256() {
        download = download.with_sha256(digits);
    }
    let fetched = download.fetch()?;
    extract(&fetched.path, folder, config)
}

fn local(path: PathBuf, config: &UntarConfig) -> Result<PathBuf> {
    if path.is_dir() {
        return Ok(path);
    }
    let missing = || {
        Error::Data(DataError::NoSuchSource {
            given: path.display().to_string(),
        })
    };
    if !path.is_file() {
        return Err(missing());
    }
    let name = path.file_name().ok_or_else(missing)?.to_string_lossy();
    // By content, so that another archive with the same name is never mistaken for this one.
    let digits = vision_fetch::sha256_of(&path)?;
    let digits = &digits[..12];
    let folder = dest(config)?
        .join(format!("local-{digits}"))
        .join(match stem(&name) {
            "" => "data",
            stem => stem,
        });
    if !config.force && folder.is_dir() {
        return Ok(folder);
    }
    extract(&path, folder, config)
}

fn extract(archive: &Path, folder: PathBuf, config: &UntarConfig) -> Result<PathBuf> {
    let existing = if config.force {
        Existing::Replace
    } else {
        Existing::Keep
    };
    let patience = config.download.lock_timeout();
    archive::extract(archive, &folder, &config.limits, existing, patience)?;
    Ok(folder)
}

fn dest(config: &UntarConfig) -> Result<PathBuf> {
    match &config.dest {
        Some(folder) => Ok(folder.clone()),
        None => Ok(cache::data_dir()?),
    }
}
