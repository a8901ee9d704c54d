//! Finding bad data before it is trained on.
//!
//! Every file is read and decoded as training would, and looked at more closely:
//!
//! | severity | |
//! |---|---|
//! | error | files that cannot be decoded, links to nowhere; the same file on both sides of a split, or under two labels (both are said) |
//! | warning | look-alikes on both sides or under two labels; copies; classes that are small, missing or of very different sizes; CMYK, 16 bits, animations, huge pictures |
//! | note | other look-alikes; blank pictures; wrong extensions; pictures turned by their EXIF data |
//!
//! Nothing is ever deleted, moved or changed. [`Report`] is a table, JSON and a page of HTML, and has
//! a list of the files to take out. In JSON a file whose path is not UTF-8 has `path_bytes` beside `path`,
//! from which nothing is lost: ASCII as it is, and `\xNN`, `\\`, `\'` and so on, as between the quotes of
//! `b'..'` in Rust and Python.
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
//! Copies are files with the same bytes (SHA-256). Look-alikes are files whose pictures agree in
//! three ways: a perceptual hash (64 bits of the cosine transform) but for 7 bits, small grey
//! pictures with a correlation of at least 0.985, and the tint within 12 of 255. That finds pictures
//! that were encoded anew, scaled or slightly brightened; it finds no crops, mirror images or turned
//! ones. Pictures of one simple kind are look-alikes without being copies: two of the same digit, an
//! X-ray of the same kind. So look-alikes are warnings or notes, and never on the quarantine list;
//! [`Doctor::with_look_alikes`] can do without them. Each is compared with the first of its group, and found by
//! bands of its hash: the time grows with the number of pictures, not with its square, as long as
//! pictures are of many kinds.

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

/// Examines data. Its settings have defaults that suit photographs.
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
    /// The defaults, each named at its method.
    pub fn new() -> Self {
        Self::default()
    }

    /// The limits within which pictures are decoded (those of the data bunch, or [`Limits::default`]
    /// for a folder).
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = Some(limits);
        self
    }

    /// A picture with more pixels is huge (25 million).
    pub fn with_huge_pixels(mut self, pixels: u64) -> Self {
        self.huge_pixels = pixels;
        self
    }

    /// Whether to look for look-alikes (yes). Copies are always looked for.
    pub fn with_look_alikes(mut self, look_alikes: bool) -> Self {
        self.look_alikes = look_alikes;
        self
    }

    /// Classes are imbalanced if the largest has so many times the training items of the smallest
    /// (10).
    pub fn with_imbalance(mut self, factor: f64) -> Self {
        self.imbalance = factor;
        self
    }

    /// The folds that are planned: a class needs as many items (5).
    pub fn with_folds(mut self, folds: usize) -> Self {
        self.folds = folds;
        self
    }

    /// Whom to tell how far it has come (nobody).
    pub fn with_progress(mut self, progress: Progress) -> Self {
        self.progress = progress;
        self
    }

    /// Examines all images of a data bunch.
    ///
    /// # Errors
    ///
    /// [`Error::Option`] for a setting outside its range. What is wrong with a file is a
    /// finding, no error.
    pub fn examine(&self, data: &ImageDataBunch) -> Result<Report> {
        self.check()?;
        Ok(self.examined(data))
    }

    fn examined(&self, data: &ImageDataBunch) -> Report {
        let cases = Cases::of(data);
        let limits = data.train_ds().reading().limits();
        self.report(data.path(), limits, &cases)
    }

    /// Examines all image files of a folder, at any depth. Folders called `train`, `valid` (or `val`,
    /// or `validation`) and `test` directly in it are taken for the parts of the set, and the folder of
    /// a file for its class. Folders that cannot be read are findings.
    ///
    /// # Errors
    ///
    /// [`Error::Option`] for a setting outside its range, [`FilesError::NotAFolder`](crate::FilesError::NotAFolder), and
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
            examine(&cases.all[item], limits, self.look_alikes)
        });
        let mut findings = balance::findings(cases, self.imbalance, self.folds);
        findings.extend(examine::findings(cases, &exams, self.huge_pixels));
        findings.extend(examine::groups(cases, &exams));
        // By kind, which is by severity; in one kind by the first file.
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
    /// Examines all images before they are trained on: [`Doctor::new`], with its defaults and the
    /// limits within which the data is read.
    pub fn doctor(&self) -> Report {
        Doctor::new().examined(self)
    }
}
