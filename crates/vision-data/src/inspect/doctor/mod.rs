//! The data doctor: finding bad data before training.
//!
//! The doctor reads and decodes every file as training would, and checks it more closely:
//!
//! | severity | |
//! |---|---|
//! | error | files that cannot be decoded, dangling symlinks; the same file in two parts, or under two labels (both are reported) |
//! | warning | look-alikes in two parts or under two labels; copies; classes whose names print alike or differ by blanks or case; empty class folders; classes that are small, missing or of very different sizes; CMYK, 16 bits, animations, huge images |
//! | note | other look-alikes; blank images; wrong extensions; images rotated by their EXIF data |
//!
//! Nothing is ever deleted, moved or changed. A [`Report`] prints as a table, JSON or an HTML page,
//! and lists the files to take out (the quarantine list). In JSON, a file whose path is not UTF-8
//! has a lossless `path_bytes` beside `path`: printable ASCII unchanged, other bytes escaped as
//! `\xNN`, `\\`, `\'` and so on, as in `b'..'` in Rust and Python.
//!
//! ```
//! use vision_data::inspect::doctor::Doctor;
//!
//! # let folder = tempfile::tempdir().unwrap();
//! # let path = vision_data::datasets::synthetic::digits(&folder.path().join("digits"), 1, 20, 5)?;
//! # std::fs::write(path.join("train/3/empty.png"), "").unwrap();
//! let report = Doctor::new().examine_folder(&path)?;
//! println!("{report}");
//! report.save_html(folder.path().join("doctor.html"))?;
//! report.save_quarantine(folder.path().join("quarantine.txt"))?;
//! assert_eq!(report.quarantine(), [path.join("train/3/empty.png")]);
//! # Ok::<(), vision_data::Error>(())
//! ```
//!
//! # Copies and look-alikes
//!
//! Copies are files with the same bytes (SHA-256). Look-alikes are files whose images agree in
//! three ways: a perceptual hash (64 bits of the cosine transform) with at most 7 differing bits,
//! small gray images with a correlation of at least 0.985, and a tint within 12 of 255. This finds
//! images that were re-encoded, scaled or slightly brightened; it does not find crops, mirror
//! images or rotations.
//!
//! Simple images of one kind can be look-alikes without being copies: two of the same digit, or
//! X-rays of the same kind. So look-alikes are warnings or notes, and never on the quarantine list;
//! [`Doctor::with_look_alikes`] turns the search off. Each image is compared with the first of each
//! group, found by bands of its hash: for varied images, the time grows with the number of images,
//! not with its square.

pub(crate) mod balance;
pub(crate) mod cases;
pub(crate) mod examine;
pub(crate) mod finding;
pub(crate) mod html;
pub(crate) mod look;
pub(crate) mod report;
pub(crate) mod similar;

use std::path::Path;

use vision_base::progress::Progress;
use vision_base::{OptionError, workers};

use crate::databunch::ImageDataBunch;
use crate::error::{Error, Result};
use crate::files::index::{IndexConfig, UnreadableFolders, index_outside};
use crate::image::limits::Limits;
use crate::inspect::doctor::cases::{Case, Cases};
use crate::inspect::doctor::examine::examine;
pub use crate::inspect::doctor::finding::{Finding, FindingKind, FoundFile, Severity, Split};
pub(crate) use crate::inspect::doctor::finding::{lossy, recoverable};
pub use crate::inspect::doctor::report::{ClassCount, Report};

/// Examines data. The default settings suit photographs.
#[doc(alias("DatasetFormatter", "ImageCleaner"))]
#[derive(Clone, Debug)]
#[must_use = "nothing is read before `examine`"]
pub struct Doctor {
    limits: Option<Limits>,
    huge_pixels: u64,
    look_alikes: bool,
    imbalance: f64,
    folds: usize,
    progress: Progress,
}

impl Default for Doctor {
    fn default() -> Self {
        Self {
            limits: None,
            huge_pixels: 25_000_000,
            look_alikes: true,
            imbalance: 10.0,
            folds: 5,
            progress: Progress::silent(),
        }
    }
}

impl Doctor {
    /// The defaults, listed at each method.
    pub fn new() -> Self {
        Self::default()
    }

    /// The limits for decoding images. Default: those of the data bunch, or [`Limits::default`] for
    /// a folder.
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = Some(limits);
        self
    }

    /// An image with more pixels is reported as huge. Default: 25 million.
    pub fn with_huge_pixels(mut self, pixels: u64) -> Self {
        self.huge_pixels = pixels;
        self
    }

    /// Whether to look for look-alikes. Default: yes. Copies are always looked for.
    pub fn with_look_alikes(mut self, look_alikes: bool) -> Self {
        self.look_alikes = look_alikes;
        self
    }

    /// Classes are imbalanced if the largest has this many times the training items of the
    /// smallest. Default: 10.
    pub fn with_imbalance(mut self, factor: f64) -> Self {
        self.imbalance = factor;
        self
    }

    /// The planned number of folds: a class needs at least as many items. Default: 5.
    pub fn with_folds(mut self, folds: usize) -> Self {
        self.folds = folds;
        self
    }

    /// Progress reporter. Default: silent.
    pub fn with_progress(mut self, progress: Progress) -> Self {
        self.progress = progress;
        self
    }

    /// Examines all images of a data bunch.
    ///
    /// # Errors
    ///
    /// [`Error::Option`] for a setting outside its range. A problem with a file is a finding, not an error.
    pub fn examine(&self, data: &ImageDataBunch) -> Result<Report> {
        self.check()?;
        Ok(self.examined(data))
    }

    fn examined(&self, data: &ImageDataBunch) -> Report {
        let cases = Cases::of(data);
        let limits = data.train_ds().reading().limits();
        self.report(data.path(), limits, &cases)
    }

    /// Examines all image files of a folder, at any depth. Direct subfolders called `train`,
    /// `valid` (or `val`, or `validation`) and `test` are taken as the parts, and the folder of a
    /// file as its class. Unreadable folders are findings.
    ///
    /// # Errors
    ///
    /// [`Error::Option`] for a setting outside its range,
    /// [`FilesError::NotAFolder`](crate::FilesError::NotAFolder), and
    /// [`Error::Io`] if `folder` itself cannot be read.
    pub fn examine_folder(&self, folder: impl AsRef<Path>) -> Result<Report> {
        self.check()?;
        let root = folder.as_ref();
        let config = IndexConfig::new().with_unreadable(UnreadableFolders::Skip);
        let (files, skipped) = index_outside::<&Path>(root, &[], &config)?;
        let cases = Cases::in_folder(root, files, skipped);
        Ok(self.report(root, &Limits::default(), &cases))
    }

    fn check(&self) -> Result<()> {
        if self.imbalance.is_nan() || self.imbalance <= 1.0 {
            return Err(Error::Option(OptionError::new(
                "imbalance",
                "a factor above 1",
                self.imbalance.to_string(),
            )));
        }
        Ok(())
    }

    /// `limits` are those of the data.
    fn report(&self, root: &Path, limits: &Limits, cases: &Cases) -> Report {
        let limits = self.limits.as_ref().unwrap_or(limits);
        let exams = workers::map(cases.all.len(), workers::cores(), &self.progress, |item| {
            examine(&cases.all[item], limits, cases.background, self.look_alikes)
        });
        let mut findings = balance::findings(cases, self.imbalance, self.folds);
        findings.extend(balance::names(&cases.classes));
        findings.extend(balance::empty_folders(cases));
        findings.extend(examine::findings(cases, &exams, self.huge_pixels));
        findings.extend(examine::groups(cases, &exams));
        // By kind, which implies by severity; within one kind by the first file.
        findings.sort_by(|a, b| {
            let key = |finding: &Finding| (finding.severity, finding.kind);
            let first = |finding: &Finding| finding.files.first().map(|file| file.path.clone());
            key(a).cmp(&key(b)).then_with(|| first(a).cmp(&first(b)))
        });
        Report {
            root: root.to_owned(),
            files: cases.all.len(),
            limits: *limits,
            are_files: cases.all.iter().all(Case::is_file),
            classes: cases.classes.clone(),
            findings,
        }
    }
}

impl ImageDataBunch {
    /// Examines all images before training: [`Doctor::new`] with its defaults and the limits of the
    /// data.
    pub fn doctor(&self) -> Report {
        Doctor::new().examined(self)
    }
}
