//! Many images from a list of URLs.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;

use super::{Download, Options, parent_of, sync_folder};
use crate::decode::{decode, read};
use crate::doctor::lossy;
use crate::error::{Error, Result, io_error};
use crate::figure::printable;
use crate::image::Limits;
use crate::items::is_image_file;
use crate::progress::Progress;
use crate::text_file;
use crate::workers;

/// In the destination, for files that are not yet known to be images. Hidden, so that nobody takes
/// what is in it for one.
const WORK: &str = ".download";

/// How to download images. The defaults suit the results of an image search.
#[derive(Clone, Debug)]
#[must_use]
pub struct ImagesConfig {
    max_images: usize,
    workers: usize,
    resume: bool,
    options: Options,
    limits: Limits,
    progress: Progress,
}

impl Default for ImagesConfig {
    fn default() -> Self {
        Self {
            max_images: 1000,
            workers: 8,
            resume: false,
            options: Options::new()
                .with_max_size(64 << 20)
                .with_total_timeout(Duration::from_secs(60)),
            limits: Limits::default(),
            progress: Progress::silent(),
        }
    }
}

impl ImagesConfig {
    /// The defaults, each named at its method.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many URLs of the list to fetch, from its beginning (1000).
    pub fn with_max_images(mut self, images: usize) -> Self {
        self.max_images = images;
        self
    }

    /// How many to fetch at a time (8).
    pub fn with_workers(mut self, workers: usize) -> Self {
        self.workers = workers;
        self
    }

    /// Whether the destination may hold images of an earlier call with the same list, which are
    /// kept (no: they are an error).
    pub fn with_resume(mut self, resume: bool) -> Self {
        self.resume = resume;
        self
    }

    /// Limits, retries and mirror of each download ([`Options::new`] with at most 64 MiB and 60 s).
    pub fn with_options(mut self, options: Options) -> Self {
        self.options = options;
        self
    }

    /// The limits within which images are decoded, to see that they are images.
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Whom to tell how far it has come (nobody).
    pub fn with_progress(mut self, progress: Progress) -> Self {
        self.progress = progress;
        self
    }
}

/// What became of each URL.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ImagesReport {
    /// In the order of the list.
    pub images: Vec<ImageResult>,
    /// The URLs that were left out, beyond the number of images that was asked for.
    pub left_out: usize,
}

/// What became of a URL.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ImageResult {
    /// The URL.
    pub url: String,
    /// Where its image is, or would be.
    #[serde(serialize_with = "lossy")]
    pub path: PathBuf,
    /// What became of it.
    pub outcome: ImageOutcome,
}

/// How a download ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ImageOutcome {
    /// The image is there.
    Downloaded {
        /// Its length.
        bytes: u64,
    },
    /// It was there already.
    Kept,
    /// There is no file.
    Failed {
        /// Why.
        reason: String,
    },
}

impl ImagesReport {
    /// The URLs that gave no image.
    pub fn failed(&self) -> impl Iterator<Item = &ImageResult> {
        let failed = |image: &&ImageResult| matches!(image.outcome, ImageOutcome::Failed { .. });
        self.images.iter().filter(failed)
    }
}

/// A line with the numbers, and one for each failure.
impl fmt::Display for ImagesReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kept = |image: &&ImageResult| image.outcome == ImageOutcome::Kept;
        let (kept, failed) = (
            self.images.iter().filter(kept).count(),
            self.failed().count(),
        );
        writeln!(
            f,
            "{} URLs: {} downloaded, {kept} there already, {failed} failed, {} left out",
            self.images.len() + self.left_out,
            self.images.len() - kept - failed,
            self.left_out
        )?;
        for image in self.failed() {
            if let ImageOutcome::Failed { reason } = &image.outcome {
                writeln!(f, "{}: {}", printable(&image.url), printable(reason))?;
            }
        }
        Ok(())
    }
}

/// The URLs of a text file, one a line. Blank lines are passed over.
///
/// # Errors
///
/// [`Error::Io`] if it cannot be read, is not UTF-8, or is longer than 256 MiB.
pub fn urls_in_file(file: impl AsRef<Path>) -> Result<Vec<String>> {
    text_file::lines(file.as_ref())
}

/// Downloads images to a folder: `00000000.jpg`, `00000001.png` and so on, numbered by their place
/// in the list.
///
/// fastai's `download_images`. The extension is that of the URL, and `.jpg` if it has none of an
/// image. A file under its final name is whole, and was decoded to see that it is an image; what is
/// none is thrown away, and the reason is in the report. No URL that fails ends the others.
///
/// ```no_run
/// use vision_data::download::{ImagesConfig, download_images, urls_in_file};
///
/// let urls = urls_in_file("urls_black_bears.txt")?;
/// let report = download_images(urls, "bears/black", &ImagesConfig::new().with_max_images(200))?;
/// println!("{report}");
/// # Ok::<(), vision_data::Error>(())
/// ```
///
/// # Errors
///
/// [`Error::BadOption`] for no workers; [`Error::AlreadyExists`] if one of the files is there and
/// [`with_resume`](ImagesConfig::with_resume) was not asked for; [`Error::Io`] if the folder cannot
/// be made.
pub fn download_images<U: Into<String>>(
    urls: impl IntoIterator<Item = U>,
    dest: impl AsRef<Path>,
    config: &ImagesConfig,
) -> Result<ImagesReport> {
    let dest = dest.as_ref();
    if config.workers == 0 {
        return Err(Error::BadOption {
            option: "workers",
            expected: "at least 1",
            found: "0".to_owned(),
        });
    }
    let mut urls: Vec<String> = urls.into_iter().map(Into::into).collect();
    let left_out = urls.len().saturating_sub(config.max_images);
    urls.truncate(config.max_images);
    let paths: Vec<PathBuf> = urls
        .iter()
        .enumerate()
        .map(|(place, url)| dest.join(format!("{place:08}{}", suffix(url))))
        .collect();
    if let (false, Some(path)) = (config.resume, paths.iter().find(|path| path.exists())) {
        return Err(Error::AlreadyExists { path: path.clone() });
    }
    let work = dest.join(WORK);
    fs::create_dir_all(&work).map_err(io_error("create the folder", &work))?;
    let outcomes = workers::map(urls.len(), config.workers, &config.progress, |place| {
        let path = &paths[place];
        if path.exists() {
            return ImageOutcome::Kept;
        }
        match bring(&urls[place], &work, path, config) {
            Ok(bytes) => ImageOutcome::Downloaded { bytes },
            Err(error) => ImageOutcome::Failed {
                reason: error.to_string(),
            },
        }
    });
    let images: Vec<ImageResult> = urls
        .into_iter()
        .zip(paths)
        .zip(outcomes)
        .map(|((url, path), outcome)| ImageResult { url, path, outcome })
        .collect();
    let report = ImagesReport { images, left_out };
    if report.failed().next().is_none() {
        // Else the parts of downloads that broke off are there for another call.
        clean(&work);
    }
    Ok(report)
}

/// Removes what downloads leave behind, and the folder if nothing else is in it.
fn clean(work: &Path) {
    let ours = |name: &str| {
        let name = name.trim_start_matches('.');
        name.len() > 8 && name.bytes().take(8).all(|byte| byte.is_ascii_digit())
    };
    for entry in fs::read_dir(work).into_iter().flatten().flatten() {
        if entry.file_name().to_str().is_some_and(ours) {
            let _ = fs::remove_file(entry.path());
        }
    }
    let _ = fs::remove_dir(work);
}

fn bring(url: &str, work: &Path, path: &Path, config: &ImagesConfig) -> Result<u64> {
    let file = work.join(path.file_name().unwrap_or_default());
    // What an earlier call left here may be of another list.
    let options = config
        .options
        .clone()
        .with_replace(true)
        .with_progress(false);
    let fetched = Download::new(url, &file).with_options(options).fetch()?;
    let image = read(&file, &config.limits).and_then(|bytes| decode(&bytes, &config.limits));
    if let Err(problem) = image {
        let _ = fs::remove_file(&file);
        return Err(Error::BadImage {
            path: PathBuf::from(url),
            problem,
        });
    }
    fs::rename(&file, path).map_err(io_error("rename to", path))?;
    sync_folder(parent_of(path))?;
    Ok(fetched.bytes)
}

/// The extension that the path of a URL ends with, if it is that of an image.
fn suffix(url: &str) -> String {
    let path = url.split(['?', '#']).next().unwrap_or(url);
    let name = path.rsplit('/').next().unwrap_or_default();
    match name.rsplit_once('.') {
        Some((_, extension)) if is_image_file(Path::new(name)) => format!(".{extension}"),
        _ => ".jpg".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_extension_is_that_of_the_urls_path_if_an_image_has_it() {
        for (url, expected) in [
            ("http://host/a/b.png", ".png"),
            ("http://host/b.JPEG?width=3.gif#x", ".JPEG"),
            ("http://host/photo", ".jpg"),
            ("http://host.png/photo", ".jpg"),
            ("http://host/show.php?image=3.png", ".jpg"),
            ("http://host/.png", ".jpg"),
            ("", ".jpg"),
        ] {
            assert_eq!(suffix(url), expected, "{url}");
        }
    }
}
