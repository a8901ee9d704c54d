//! The doctor's report: a table, JSON, and a list of files to take out.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::Serialize;
use vision_base::atomic;
use vision_base::message::{printable, shown};

use crate::decisions::decision::Decision;
use crate::decisions::file::Decisions;
use crate::error::Result;
use crate::image::limits::Limits;
use crate::inspect::doctor::finding::{Finding, FindingKind, Severity, Split, lossy};
use crate::labels::names::posix;

/// The findings, the most severe first.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Report {
    /// The folder of the data.
    #[serde(serialize_with = "lossy")]
    pub root: PathBuf,
    /// The number of files that were examined.
    pub files: usize,
    /// The limits of the examination, for the thumbnails.
    #[serde(skip)]
    pub(super) limits: Limits,
    /// Whether all images are files, which are read again for the thumbnails.
    #[serde(skip)]
    pub(super) are_files: bool,
    /// The classes with their numbers of items; empty if labels are not classes.
    pub classes: Vec<ClassCount>,
    /// The findings, by severity, then by kind, then by path.
    pub findings: Vec<Finding>,
}

/// The number of items of a class in each part.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ClassCount {
    /// The name of the class.
    pub name: String,
    /// Training items.
    pub train: usize,
    /// Validation items.
    pub valid: usize,
    /// Items of a folder without parts.
    pub unsplit: usize,
}

impl ClassCount {
    pub(super) fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            ..Self::default()
        }
    }

    pub(super) fn add(&mut self, split: Option<Split>) {
        match split {
            Some(Split::Train) => self.train += 1,
            Some(Split::Valid) => self.valid += 1,
            Some(Split::Test) => {}
            None => self.unsplit += 1,
        }
    }
}

impl Report {
    /// Whether there are no findings worse than a note.
    pub fn is_healthy(&self) -> bool {
        self.count(Severity::Error) + self.count(Severity::Warning) == 0
    }

    /// The number of findings with a severity.
    pub fn count(&self, severity: Severity) -> usize {
        let of = |finding: &&Finding| finding.severity == severity;
        self.findings.iter().filter(of).count()
    }

    /// The findings of one kind.
    pub fn of_kind(&self, kind: FindingKind) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(move |f| f.kind == kind)
    }

    /// The files to take out, sorted, without repetition: those that cannot be decoded, and of each
    /// group of copies all but one, or all if their labels differ. Look-alikes need a person's
    /// judgment, so they are not listed.
    pub fn quarantine(&self) -> Vec<&Path> {
        let files = self.findings.iter().flat_map(|finding| &finding.files);
        let mut paths: Vec<&Path> = files
            .filter(|file| file.quarantine)
            .map(|file| file.path.as_path())
            .collect();
        paths.sort_unstable();
        paths.dedup();
        paths
    }

    /// Writes the [`quarantine`](Self::quarantine) list, one path per line, byte for byte. The
    /// files themselves are not touched.
    ///
    /// A path that contains a line break would become two lines, each of which could be another
    /// file's path: such paths are left out of the list, and returned. So each line, up to its
    /// `\n`, is the path of exactly one file (`xargs -d '\n'` reads it this way); it need not be
    /// UTF-8.
    ///
    /// # Errors
    ///
    /// [`Error::Io`](crate::Error::Io) if the file cannot be written.
    pub fn save_quarantine(&self, file: impl AsRef<Path>) -> Result<Vec<&Path>> {
        let breaks = |path: &&Path| {
            let bytes = path.as_os_str().as_encoded_bytes();
            bytes.iter().any(|byte| matches!(byte, b'\n' | b'\r'))
        };
        let (left_out, listed): (Vec<_>, Vec<_>) = self.quarantine().into_iter().partition(breaks);
        let mut lines = Vec::new();
        for path in listed {
            lines.extend_from_slice(path.as_os_str().as_encoded_bytes());
            lines.push(b'\n');
        }
        atomic::write(file.as_ref(), &lines)?;
        Ok(left_out)
    }

    /// The [`quarantine`](Self::quarantine) list as decisions to exclude its files, for
    /// [`ImageDataBunchBuilder::decisions`](crate::ImageDataBunchBuilder::decisions).
    ///
    /// ```
    /// use vision_data::ImageDataBunch;
    /// use vision_data::inspect::doctor::Doctor;
    ///
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = vision_data::datasets::synthetic::digits(&folder.path().join("digits"), 1, 4, 2)?;
    /// # std::fs::write(path.join("train/3/empty.png"), "").unwrap();
    /// let decisions = Doctor::new().examine_folder(&path)?.decisions()?;
    /// let data = ImageDataBunch::from_folder(&path).decisions(decisions).batch_size(2).build()?;
    /// assert_eq!(data.decided().excluded, [path.join("train/3/empty.png")]);
    /// # Ok::<(), vision_data::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Option`](crate::Error::Option) for a name with a zero character, which only an image source can have.
    pub fn decisions(&self) -> Result<Decisions> {
        let mut decisions = Decisions::new();
        for file in self.quarantine() {
            decisions.set(posix(self.inside(file)), Decision::Exclude)?;
        }
        Ok(decisions)
    }

    /// The report as JSON.
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self)
            .expect("numbers, strings and lists of them can be written")
    }

    /// Writes the report as JSON, atomically.
    ///
    /// # Errors
    ///
    /// [`Error::Io`](crate::Error::Io) if the file cannot be written.
    pub fn save_json(&self, file: impl AsRef<Path>) -> Result<()> {
        Ok(atomic::write(file.as_ref(), self.to_json().as_bytes())?)
    }

    /// A path relative to the root.
    pub(super) fn inside<'a>(&self, path: &'a Path) -> &'a Path {
        path.strip_prefix(&self.root).unwrap_or(path)
    }

    /// The findings by kind, the most severe first.
    pub(super) fn kinds(&self) -> BTreeMap<(Severity, FindingKind), Vec<&Finding>> {
        let mut kinds: BTreeMap<_, Vec<&Finding>> = BTreeMap::new();
        for finding in &self.findings {
            let key = (finding.severity, finding.kind);
            kinds.entry(key).or_default().push(finding);
        }
        kinds
    }

    /// A one-line verdict.
    pub(super) fn verdict(&self) -> String {
        format!(
            "{} files, {} errors, {} warnings, {} notes",
            self.files,
            self.count(Severity::Error),
            self.count(Severity::Warning),
            self.count(Severity::Note)
        )
    }
}

/// A table: for each kind of finding the count, an example, and advice.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {}", shown(&self.root), self.verdict())?;
        if self.findings.is_empty() {
            return Ok(());
        }
        writeln!(
            f,
            "\n{:<8} {:<28} {:>6}  example",
            "severity", "finding", "count"
        )?;
        for ((severity, kind), findings) in self.kinds() {
            let Some(first) = findings.first() else {
                continue;
            };
            let mut files = first.files.iter().take(2);
            let mut example: Vec<String> = files
                .by_ref()
                .map(|file| printable(&self.inside(&file.path).to_string_lossy()))
                .collect();
            if first.files.len() > 2 {
                example.push("...".to_owned());
            }
            let example = match example.is_empty() {
                true => printable(&first.message),
                false => format!("{}: {}", example.join(", "), printable(&first.message)),
            };
            writeln!(
                f,
                "{severity:<8} {:<28} {:>6}  {example}",
                kind.title(),
                findings.len()
            )?;
        }
        writeln!(f)?;
        for ((_, kind), _) in self.kinds() {
            writeln!(f, "{}: {}", kind.title(), kind.advice())?;
        }
        Ok(())
    }
}
