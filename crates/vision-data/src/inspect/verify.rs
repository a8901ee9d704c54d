//! Checking a folder of images, and writing smaller copies of large ones.

use std::collections::BTreeSet;
use std::io::Cursor;
use std::path::{Path, PathBuf, absolute};
use std::{fmt, fs};

use image::codecs::jpeg::JpegEncoder;
use image::codecs::pnm::{PnmEncoder, PnmSubtype, SampleEncoding};
use image::{DynamicImage, ImageFormat, RgbImage};
use serde::Serialize;
use vision_base::message::{printable, shown};
use vision_base::progress::Progress;
use vision_base::{OptionError, atomic, workers};

use crate::error::{Error, Result, io_error};
use crate::files::index::{IndexConfig, index, index_directly};
use crate::image::Image;
use crate::image::decode::{decode, read};
use crate::image::header::{ColorMode, Facts};
use crate::image::limits::Limits;
use crate::inspect::doctor::recoverable;
use crate::pipeline::sampling::pillow;

/// Options of [`verify_images`].
#[derive(Clone, Debug)]
#[must_use]
pub struct VerifyConfig {
    max_size: Option<u32>,
    dest: Option<PathBuf>,
    recurse: bool,
    resume: bool,
    quality: u8,
    limits: Limits,
    progress: Progress,
}

impl Default for VerifyConfig {
    fn default() -> Self {
        Self {
            max_size: None,
            dest: None,
            recurse: false,
            resume: false,
            quality: 75,
            limits: Limits::default(),
            progress: Progress::silent(),
        }
    }
}

impl VerifyConfig {
    /// Only checks, writes nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Where to write images that are too large or not 8-bit RGB, under their own names, in the
    /// format of their extension. Default: nowhere. The folder must be outside the one that is
    /// checked. Like any path, it is relative to the working directory (in fastai, to the checked
    /// folder).
    pub fn with_dest(mut self, folder: impl Into<PathBuf>) -> Self {
        self.dest = Some(folder.into());
        self
    }

    /// The longer side of the images that are written. Default: unchanged. Smaller images are not
    /// enlarged.
    pub fn with_max_size(mut self, pixels: u32) -> Self {
        self.max_size = Some(pixels);
        self
    }

    /// Whether to recurse into subfolders, which are also created in the destination. Default: no.
    pub fn with_recurse(mut self, recurse: bool) -> Self {
        self.recurse = recurse;
        self
    }

    /// Whether to skip images that are in the destination already. Default: no.
    pub fn with_resume(mut self, resume: bool) -> Self {
        self.resume = resume;
        self
    }

    /// The quality of JPEG files, 1 to 100. Default: 75, as in Pillow.
    pub fn with_quality(mut self, quality: u8) -> Self {
        self.quality = quality;
        self
    }

    /// The limits for decoding images.
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Progress reporter. Default: silent.
    pub fn with_progress(mut self, progress: Progress) -> Self {
        self.progress = progress;
        self
    }

    fn check(&self, folder: &Path) -> Result<()> {
        let bad =
            |option, expected, found| Err(Error::Option(OptionError::new(option, expected, found)));
        if self.max_size == Some(0) {
            return bad("max_size", "at least 1 pixel", "0".to_owned());
        }
        if !(1..=100).contains(&self.quality) {
            return bad("quality", "1 to 100", self.quality.to_string());
        }
        match &self.dest {
            None if self.max_size.is_some() => {
                let expected = "a folder for the smaller images (with_dest)";
                bad("dest", expected, "none".to_owned())
            }
            Some(dest) => {
                // Check before the folder is created, so that a rejected call leaves nothing
                // behind.
                check_outside(dest, folder)?;
                fs::create_dir_all(dest).map_err(io_error("create the folder", dest))
            }
            None => Ok(()),
        }
    }
}

/// The result of [`verify_images`].
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct VerifyReport {
    /// The number of images that were checked.
    pub checked: usize,
    /// The number of images that needed no change; they are not copied.
    pub fine: usize,
    /// The number of images that were in the destination already.
    pub resumed: usize,
    /// The files that were written, sorted.
    #[serde(serialize_with = "all_lossy")]
    pub written: Vec<PathBuf>,
    /// Images that cannot be decoded, sorted by path. They are left in place.
    pub unreadable: Vec<UnreadableImage>,
    /// Images in unsupported formats, which were not checked, sorted.
    #[serde(serialize_with = "all_lossy")]
    pub unread: Vec<PathBuf>,
    /// The number of subfolders, which are skipped without
    /// [`with_recurse`](VerifyConfig::with_recurse).
    pub folders: usize,
}

/// An image that cannot be decoded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct UnreadableImage {
    /// The file. In JSON, bytes that are not UTF-8 are replaced, and `path_bytes` has the full
    /// path, with such bytes as `\xNN`.
    #[serde(flatten, serialize_with = "recoverable")]
    pub path: PathBuf,
    /// The reason.
    pub reason: String,
}

fn all_lossy<S: serde::Serializer>(
    paths: &[PathBuf],
    to: S,
) -> std::result::Result<S::Ok, S::Error> {
    to.collect_seq(paths.iter().map(|path| path.to_string_lossy()))
}

/// A line with the counts, and one for each file that cannot be decoded.
impl fmt::Display for VerifyReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} images: {} fine, {} written, {} existed already, {} unreadable",
            self.checked,
            self.fine,
            self.written.len(),
            self.resumed,
            self.unreadable.len()
        )?;
        for image in &self.unreadable {
            let path = printable(&image.path.to_string_lossy());
            writeln!(f, "{path}: {}", printable(&image.reason))?;
        }
        if let Some(first) = self.unread.first() {
            let (count, first) = (self.unread.len(), printable(&first.to_string_lossy()));
            writeln!(f, "{count} in unsupported formats, the first is {first}")?;
        }
        if self.folders > 0 {
            let folders = self.folders;
            writeln!(
                f,
                "{folders} folders were skipped: `with_recurse(true)` includes them"
            )?;
        }
        Ok(())
    }
}

/// Decodes each image of a folder, and writes copies of those that are too large or not RGB to
/// another folder.
///
/// This is fastai's `verify_images`, which by default deletes what it cannot read and overwrites
/// what it resizes: here no image of the folder is changed. Sizes are fastai's: the longer side
/// becomes `max_size`, the other is truncated to whole pixels (27.9 becomes 27, but at least 1).
/// Pixels are those of Pillow's bilinear filter. The EXIF orientation is applied, and not written
/// to the copy.
///
/// ```
/// use vision_data::inspect::{VerifyConfig, verify_images};
///
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = vision_data::datasets::synthetic::digits(&folder.path().join("digits"), 1, 5, 5)?;
/// let small = folder.path().join("small");
/// let config = VerifyConfig::new().with_max_size(27).with_dest(&small);
/// let report = verify_images(path.join("train/3"), &config)?;
/// assert_eq!(report.written.len(), 5);
/// # Ok::<(), vision_data::Error>(())
/// ```
///
/// # Errors
///
/// [`Error::Option`] for an invalid setting, or a destination inside the folder (also through a
/// symlink); [`FilesError::NotAFolder`](crate::FilesError::NotAFolder);
/// [`vision_fetch::Error::AlreadyExists`] if a copy would replace another file, unless the call
/// [resumes](VerifyConfig::with_resume) an earlier one; and [`Error::Io`] if the folder cannot be
/// read or an image cannot be written. An image that cannot be decoded is in the report.
pub fn verify_images(folder: impl AsRef<Path>, config: &VerifyConfig) -> Result<VerifyReport> {
    let folder = folder.as_ref();
    crate::files::index::check_folder(folder)?;
    config.check(folder)?;
    config.limits.check()?;
    let (found, folders) = match config.recurse {
        true => (index(folder, &IndexConfig::default())?, 0),
        false => index_directly(folder)?,
    };
    let (files, unread) = (found.files, found.unread);
    if let Some(dest) = &config.dest {
        let folders: BTreeSet<PathBuf> = files
            .iter()
            .filter_map(|file| target(folder, file, dest).parent().map(Path::to_owned))
            .collect();
        for inner in folders {
            // A symlink may lead back.
            check_outside(&inner, folder)?;
            fs::create_dir_all(&inner).map_err(io_error("create the folder", &inner))?;
        }
    }
    let outcomes = workers::map(files.len(), workers::cores(), &config.progress, |item| {
        let file = &files[item];
        let target = config.dest.as_ref().map(|dest| target(folder, file, dest));
        verify(file, target, config)
    });
    let mut report = VerifyReport {
        checked: files.len(),
        unread,
        folders,
        ..VerifyReport::default()
    };
    for (path, outcome) in files.into_iter().zip(outcomes) {
        match outcome? {
            Outcome::Fine => report.fine += 1,
            Outcome::Resumed => report.resumed += 1,
            Outcome::Written(file) => report.written.push(file),
            Outcome::Unreadable(reason) => {
                report.unreadable.push(UnreadableImage { path, reason });
            }
        }
    }
    Ok(report)
}

enum Outcome {
    Fine,
    Resumed,
    Written(PathBuf),
    Unreadable(String),
}

/// Rejects a destination inside the folder that is checked. The destination need not exist yet.
fn check_outside(dest: &Path, folder: &Path) -> Result<()> {
    let real = |path: &Path| fs::canonicalize(path).map_err(io_error("open", path));
    let whole = absolute(dest).map_err(io_error("open", dest))?;
    let there = whole.ancestors().find(|path| path.exists());
    if !real(there.unwrap_or(&whole))?.starts_with(real(folder)?) {
        return Ok(());
    }
    Err(Error::Option(OptionError::new(
        "dest",
        "a folder outside of the one that is checked, whose files stay as they are",
        shown(dest),
    )))
}

/// The path of the copy of a file.
fn target(folder: &Path, file: &Path, dest: &Path) -> PathBuf {
    dest.join(file.strip_prefix(folder).unwrap_or(file))
}

fn verify(file: &Path, target: Option<PathBuf>, config: &VerifyConfig) -> Result<Outcome> {
    if config.resume && target.as_ref().is_some_and(|target| target.is_file()) {
        return Ok(Outcome::Resumed);
    }
    let read = read(file, &config.limits).and_then(|bytes| {
        let image = decode(&bytes, &config.limits)?;
        Ok((image, Facts::of(&bytes)))
    });
    let (mut image, facts) = match read {
        Ok(read) => read,
        Err(problem) => return Ok(Outcome::Unreadable(problem.to_string())),
    };
    let Some(target) = target else {
        return Ok(Outcome::Fine);
    };
    let rgb = facts.is_some_and(|facts| facts.mode == ColorMode::Rgb && facts.bits == 8);
    let longer = image.width().max(image.height());
    let smaller = config.max_size.filter(|&most| longer > most);
    if rgb && smaller.is_none() {
        return Ok(Outcome::Fine);
    }
    // Held until the copy is written.
    let _permit = image.permit.take();
    let image = match smaller {
        None => image.value,
        Some(most) => {
            let side = |side: u32| (u64::from(side) * u64::from(most) / u64::from(longer)).max(1);
            let size = (side(image.height()) as usize, side(image.width()) as usize);
            pillow::resized(&Image::try_from(image.value)?, size).into_rgb_image()
        }
    };
    if target.exists() && !config.resume {
        return Err(vision_fetch::Error::AlreadyExists { path: target }.into());
    }
    atomic::write(&target, &encode(image, &target, config.quality)?)?;
    Ok(Outcome::Written(target))
}

fn encode(image: RgbImage, path: &Path, quality: u8) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let image = DynamicImage::ImageRgb8(image);
    match ImageFormat::from_path(path).unwrap_or(ImageFormat::Jpeg) {
        ImageFormat::Jpeg => {
            image.write_with_encoder(JpegEncoder::new_with_quality(&mut bytes, quality))
        }
        // By default the encoder would write PAM, which few programs read.
        ImageFormat::Pnm => {
            let pixmap = PnmSubtype::Pixmap(SampleEncoding::Binary);
            image.write_with_encoder(PnmEncoder::new(&mut bytes).with_subtype(pixmap))
        }
        format => image.write_to(&mut Cursor::new(&mut bytes), format),
    }
    .map_err(vision_figure::Error::Encode)?;
    Ok(bytes)
}
