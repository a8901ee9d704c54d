//! Downloading many images from a list of URLs.

use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fmt, fs};

use image::ImageFormat;
use serde::Serialize;
use vision_base::message::printable;
use vision_base::paths::{parent_of, sync_folder};
use vision_base::progress::Progress;
use vision_base::{OptionError, workers};
use vision_fetch::{Download, Options};

use crate::error::{Error, Result, io_error};
use crate::files::index::is_image_file;
use crate::files::text;
use crate::image::decode::{decode, format_of, read};
use crate::image::error::ImageError;
use crate::image::limits::Limits;
use crate::inspect::doctor::recoverable;

/// The subfolder of the destination for files that are not yet known to be images. Hidden, so that
/// its content is not mistaken for images.
const WORK: &str = ".download";

/// The extensions for URLs that have no image extension.
const EXTENSIONS: [(ImageFormat, &str); 7] = [
    (ImageFormat::Jpeg, "jpg"),
    (ImageFormat::Png, "png"),
    (ImageFormat::WebP, "webp"),
    (ImageFormat::Gif, "gif"),
    (ImageFormat::Bmp, "bmp"),
    (ImageFormat::Tiff, "tiff"),
    (ImageFormat::Pnm, "pnm"),
];

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
    /// The defaults, listed at each method.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many URLs to download, from the beginning of the list. Default: 1000.
    pub fn with_max_images(mut self, images: usize) -> Self {
        self.max_images = images;
        self
    }

    /// The number of concurrent downloads. Default: 8.
    pub fn with_workers(mut self, workers: usize) -> Self {
        self.workers = workers;
        self
    }

    /// Whether to keep images from an earlier call with the same list. Default: no; existing files
    /// are an error.
    pub fn with_resume(mut self, resume: bool) -> Self {
        self.resume = resume;
        self
    }

    /// Limits, retries and mirror of each download. Default: [`Options::new`] with at most 64 MiB
    /// and 60 s.
    pub fn with_options(mut self, options: Options) -> Self {
        self.options = options;
        self
    }

    /// The limits for decoding each file, which checks that it is an image.
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Progress reporter. Default: silent.
    pub fn with_progress(mut self, progress: Progress) -> Self {
        self.progress = progress;
        self
    }
}

/// The outcome for each URL.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ImagesReport {
    /// The outcomes, in the order of the list.
    pub images: Vec<ImageResult>,
    /// The number of URLs beyond the requested number of images, which were not downloaded.
    pub left_out: usize,
}

/// The outcome for one URL.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ImageResult {
    /// The URL.
    pub url: String,
    /// The path of its image, existing or not.
    #[serde(flatten, serialize_with = "recoverable")]
    pub path: PathBuf,
    /// The outcome.
    pub outcome: ImageOutcome,
}

/// The outcome of one download.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ImageOutcome {
    /// The image was downloaded.
    Downloaded {
        /// Its length in bytes.
        bytes: u64,
    },
    /// The image was there already.
    Kept,
    /// The image could not be downloaded.
    Failed {
        /// The reason.
        reason: String,
    },
}

impl ImagesReport {
    /// The URLs that failed.
    pub fn failed(&self) -> impl Iterator<Item = &ImageResult> {
        let failed = |image: &&ImageResult| matches!(image.outcome, ImageOutcome::Failed { .. });
        self.images.iter().filter(failed)
    }
}

/// A line with the counts, one line per failure, and advice about the failures.
impl fmt::Display for ImagesReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kept = |image: &&ImageResult| image.outcome == ImageOutcome::Kept;
        let (kept, failed) = (
            self.images.iter().filter(kept).count(),
            self.failed().count(),
        );
        writeln!(
            f,
            "{} URLs: {} downloaded, {kept} existed already, {failed} failed, {} left out",
            self.images.len() + self.left_out,
            self.images.len() - kept - failed,
            self.left_out
        )?;
        for image in self.failed() {
            if let ImageOutcome::Failed { reason } = &image.outcome {
                writeln!(f, "{}: {}", printable(&image.url), printable(reason))?;
            }
        }
        if failed > 0 {
            writeln!(
                f,
                "To retry these, call again with the same list and `with_resume(true)`. You may correct a URL, but \
                 do not remove a line: that changes the numbers of all later files."
            )?;
        }
        Ok(())
    }
}

/// Reads URLs from a text file, one per line. Blank lines are skipped.
///
/// # Errors
///
/// [`Error::Io`] if the file cannot be read, is not UTF-8, or is longer than 256 MiB.
pub fn urls_in_file(file: impl AsRef<Path>) -> Result<Vec<String>> {
    text::lines(file.as_ref())
}

/// Downloads images to a folder: `00000000.jpg`, `00000001.png` and so on, numbered by their
/// position in the list.
///
/// This is fastai's `download_images`. The extension is that of the URL. If the URL has no image
/// extension, the content decides it, where fastai uses `.jpg` (as the report does for a URL that
/// fails). A file under its final name is complete and was decoded to check that it is an image;
/// other files are discarded, with the reason in the report. A URL that fails does not stop the
/// others.
///
/// ```no_run
/// use vision_data::datasets::{ImagesConfig, download_images, urls_in_file};
///
/// let urls = urls_in_file("urls_black_bears.txt")?;
/// let report = download_images(urls, "bears/black", &ImagesConfig::new().with_max_images(200))?;
/// println!("{report}");
/// # Ok::<(), vision_data::Error>(())
/// ```
///
/// # Errors
///
/// [`Error::Option`] for zero workers; [`vision_fetch::Error::AlreadyExists`] if one of the files
/// exists and [`with_resume`](ImagesConfig::with_resume) is off; [`Error::Io`] if the folder cannot
/// be created.
pub fn download_images<U: Into<String>>(
    urls: impl IntoIterator<Item = U>,
    dest: impl AsRef<Path>,
    config: &ImagesConfig,
) -> Result<ImagesReport> {
    let dest = dest.as_ref();
    config.limits.check()?;
    if config.workers == 0 {
        return Err(Error::Option(OptionError::new(
            "workers",
            "at least 1",
            "0".to_owned(),
        )));
    }
    let mut urls: Vec<String> = urls.into_iter().map(Into::into).collect();
    let left_out = urls.len().saturating_sub(config.max_images);
    urls.truncate(config.max_images);
    // The report shows the URLs as given.
    let sent: Vec<String> = urls.iter().map(|url| escaped(url)).collect();
    let found: Vec<Option<PathBuf>> = sent
        .iter()
        .enumerate()
        .map(|(place, url)| {
            names(place, url)
                .map(|name| dest.join(name))
                .find(|p| p.exists())
        })
        .collect();
    if let (false, Some(path)) = (config.resume, found.iter().flatten().next()) {
        return Err(vision_fetch::Error::AlreadyExists { path: path.clone() }.into());
    }
    let work = dest.join(WORK);
    fs::create_dir_all(&work).map_err(io_error("create the folder", &work))?;
    let outcomes = workers::map(sent.len(), config.workers, &config.progress, |place| {
        if let Some(path) = &found[place] {
            return (path.clone(), ImageOutcome::Kept);
        }
        match bring(place, &sent[place], &work, dest, config) {
            Ok((path, bytes)) => (path, ImageOutcome::Downloaded { bytes }),
            Err(error) => {
                let name = name(place, &sent[place], None);
                let reason = reason(&error);
                (dest.join(name), ImageOutcome::Failed { reason })
            }
        }
    });
    let images: Vec<ImageResult> = urls
        .into_iter()
        .zip(outcomes)
        .map(|(url, (path, outcome))| ImageResult { url, path, outcome })
        .collect();
    let report = ImagesReport { images, left_out };
    if report.failed().next().is_none() {
        // Otherwise keep partial downloads for another call.
        clean(&work);
    }
    Ok(report)
}

/// A URL as a browser sends it: trimmed, with spaces and non-ASCII characters in its path
/// percent-encoded (`%20`).
fn escaped(url: &str) -> String {
    let url = url.trim();
    let host = url.find("://").map_or(0, |at| at + 3);
    let path = url.get(host..).and_then(|rest| rest.find('/'));
    let (host, path) = url.split_at(path.map_or(url.len(), |at| host + at));
    let mut escaped = host.to_owned();
    for byte in path.bytes() {
        match byte {
            b' ' | 0x80.. => escaped.push_str(&format!("%{byte:02X}")),
            byte => escaped.push(char::from(byte)),
        }
    }
    escaped
}

/// Removes temporary files of downloads, and the folder if it is then empty.
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

/// Downloads one image; returns it and its length.
fn bring(
    place: usize,
    url: &str,
    work: &Path,
    dest: &Path,
    config: &ImagesConfig,
) -> Result<(PathBuf, u64)> {
    let file = work.join(name(place, url, None));
    // Files from an earlier call may belong to another list.
    let options = config
        .options
        .clone()
        .with_replace(true)
        .with_progress(false);
    let download = Download::new(url, &file).nameless().with_options(options);
    let fetched = download.fetch()?;
    let decoded = read(&file, &config.limits).and_then(|bytes| {
        decode(&bytes, &config.limits)?;
        Ok(format_of(&bytes))
    });
    let format = match decoded {
        Ok(format) => format,
        Err(problem) => {
            let _ = fs::remove_file(&file);
            return Err(Error::Image(ImageError::Decode {
                path: PathBuf::from(url),
                problem,
            }));
        }
    };
    let path = dest.join(name(place, url, format));
    fs::rename(&file, &path).map_err(io_error("rename to", &path))?;
    sync_folder(parent_of(&path))?;
    Ok((path, fetched.bytes))
}

/// The file name for the image of a URL. The extension comes from the URL, else from the format,
/// else it is the first of `EXTENSIONS`.
fn name(place: usize, url: &str, format: Option<ImageFormat>) -> String {
    let position = EXTENSIONS
        .iter()
        .position(|(known, _)| Some(*known) == format);
    let mut names = names(place, url);
    let first = names.next().expect("a URL has an extension, or else each");
    match position {
        None | Some(0) => first,
        Some(position) => names.nth(position - 1).unwrap_or(first),
    }
}

/// The possible file names for the image of a URL: with the URL's extension, or with each of
/// `EXTENSIONS`.
fn names(place: usize, url: &str) -> impl Iterator<Item = String> {
    let own = extension(url);
    let others = EXTENSIONS.iter().map(|(_, extension)| *extension);
    let others = others.filter(move |_| own.is_none());
    let all = own.into_iter().chain(others);
    all.map(move |extension| format!("{place:08}.{extension}"))
}

/// The extension of the URL's path, if it is an image extension.
fn extension(url: &str) -> Option<&str> {
    let path = url.split(['?', '#']).next().unwrap_or(url);
    let after_scheme = path.split_once("://").map_or(path, |(_, rest)| rest);
    let (_host, path) = after_scheme.split_once('/')?;
    let name = path.rsplit('/').next().unwrap_or_default();
    let (_, extension) = name.rsplit_once('.')?;
    is_image_file(Path::new(name)).then_some(extension)
}

/// Why there is no image, and what to do about it. The download errors assume a single required
/// file, for instance from a mirror; here it is one of many.
fn reason(error: &Error) -> String {
    let Error::Fetch(error) = error else {
        return error.to_string();
    };
    match error {
        vision_fetch::Error::Offline { reason, .. } => {
            format!("it cannot be reached: {reason}; check the URL and the network")
        }
        vision_fetch::Error::HttpStatus {
            status, attempts, ..
        } => {
            let advice = match *status {
                429 | 500.. => "try again later",
                _ => "check the URL, or leave this image out",
            };
            format!("the server answered HTTP status {status} ({attempts} attempt(s)); {advice}")
        }
        vision_fetch::Error::Interrupted {
            found,
            attempts,
            reason,
            ..
        } => format!(
            "the download broke off after {found} bytes ({attempts} attempts, last: {reason}); another \
             call goes on from there"
        ),
        error => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_may_do_another_time_is_told_from_a_url_that_is_wrong() {
        let of = |status| {
            reason(&Error::Fetch(vision_fetch::Error::HttpStatus {
                url: "http://host/a.png".to_owned(),
                file: PathBuf::from("a.png"),
                status,
                attempts: 3,
            }))
        };
        assert!(of(503).ends_with("try again later") && of(429).ends_with("try again later"));
        assert!(of(404).contains("check the URL") && of(410).contains("check the URL"));
    }

    #[test]
    fn a_url_is_sent_as_a_browser_sends_it() {
        // Same as Python's `urllib.parse.quote(path, safe="/:?#[]@!$&'()*+,;=%")`.
        for (url, expected) in [
            (" http://host/a b.png\t", "http://host/a%20b.png"),
            (
                "http://host/käse.jpg?q=ü",
                "http://host/k%C3%A4se.jpg?q=%C3%BC",
            ),
            (
                "http://host/a%20b.png?c=d&e#f",
                "http://host/a%20b.png?c=d&e#f",
            ),
            ("http://höst", "http://höst"),
            ("", ""),
        ] {
            assert_eq!(escaped(url), expected);
        }
    }

    #[test]
    fn the_extension_is_that_of_the_urls_path_if_an_image_has_it() {
        for (url, expected) in [
            ("http://host/a/b.png", Some("png")),
            ("http://host/b.JPEG?width=3.gif#x", Some("JPEG")),
            ("http://host/photo", None),
            ("http://host.png/photo", None),
            ("http://host.png", None),
            ("http://host/", None),
            ("http://host/show.php?image=3.png", None),
            ("http://host/.png", None),
            ("", None),
        ] {
            assert_eq!(extension(url), expected, "{url}");
        }
    }
}
