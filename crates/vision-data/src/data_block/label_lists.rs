//! The last step of the data block before the options: split and labeled files.

use std::path::{Path, PathBuf};

use vision_base::message::quoted;

use crate::data_block::image_list::ImageList;
use crate::data_block::labeled::{Labeled, LabeledFiles};
use crate::decisions::error::DecisionError;
use crate::decisions::pending::Pending;
use crate::decisions::record::Decided;
use crate::error::{Error, Result};
use crate::files::disjoint::{apart_from, part_folder};
use crate::files::index::{IndexConfig, SkippedFolder, index_outside, no_images};
use crate::labels::Label;
use crate::labels::collector::{Collector, Rejected};
use crate::labels::error::LabelError;
use crate::labels::kind::{Dropped, TargetKind};
use crate::labels::options::LabelOptions;
use crate::labels::targets::Targets;

/// Labeled files, split into training and validation; fastai's `LabelLists`.
#[derive(Clone, Debug)]
#[must_use = "`transform` or `databunch` goes on from here"]
pub struct LabelLists {
    pub(crate) labeled: Labeled<LabeledFiles>,
    /// How the labels were read.
    pub(crate) options: LabelOptions,
    /// The training and validation folders, if the split is by folder.
    pub(crate) folders: Vec<PathBuf>,
    /// The decisions, some of which may be about test images.
    pub(crate) decisions: Option<Pending>,
    /// The decisions of the list of the test images.
    pub(crate) test_decisions: Option<Pending>,
}

impl LabelLists {
    /// The kind of the labels.
    pub fn kind(&self) -> TargetKind {
        self.labeled.kind
    }

    /// The class names, in the order of the label positions; empty if the labels are numbers.
    pub fn classes(&self) -> &[String] {
        &self.labeled.classes
    }

    /// The training files.
    pub fn train(&self) -> &LabeledFiles {
        &self.labeled.train
    }

    /// The validation files.
    pub fn valid(&self) -> &LabeledFiles {
        &self.labeled.valid
    }

    /// The test files, if there are any.
    pub fn test(&self) -> Option<&LabeledFiles> {
        self.labeled.test.as_ref()
    }

    /// The labels that were left out on request.
    pub fn dropped(&self) -> &[Dropped] {
        &self.labeled.dropped
    }

    /// The unreadable folders that were skipped on request.
    pub fn skipped_folders(&self) -> &[SkippedFolder] {
        &self.labeled.skipped.folders
    }

    /// Adds test files without labels, from a folder, a list or a table. Decisions of the list may exclude some of them.
    pub fn add_test(mut self, list: ImageList) -> Self {
        self.labeled.skipped.extend(list.skipped);
        self.test_decisions = list.decisions;
        self.labeled.test = Some(LabeledFiles {
            targets: Targets::Empty(list.items.len()),
            files: list.items,
            source: list.source,
        });
        self
    }

    pub(crate) fn with_test(mut self, files: Vec<PathBuf>) -> Self {
        self.test_decisions = None;
        let targets = Targets::Empty(files.len());
        self.labeled.test = Some(LabeledFiles {
            files,
            source: None,
            targets,
        });
        self
    }

    /// Adds the images of a folder under the root as test files. They get no labels, even if they
    /// are in class folders.
    ///
    /// # Errors
    ///
    /// [`FilesError::MissingFolder`](crate::FilesError::MissingFolder),
    /// [`FilesError::NoImages`](crate::FilesError::NoImages), and the errors of
    /// [`image_files`](crate::files::image_files).
    pub fn add_test_folder(self, name: &str) -> Result<Self> {
        self.add_test_folder_with(name, &IndexConfig::default())
    }

    /// Like [`add_test_folder`](Self::add_test_folder), with a progress reporter and a choice of what
    /// to do about unreadable folders.
    ///
    /// # Errors
    ///
    /// Those of [`add_test_folder`](Self::add_test_folder).
    pub fn add_test_folder_with(mut self, name: &str, config: &IndexConfig) -> Result<Self> {
        let folder = part_folder(&self.labeled.path, name, "test")?;
        let files = self.test_files(&folder, config)?;
        if files.is_empty() {
            return Err(no_images(&folder, "test"));
        }
        Ok(self.with_test(files))
    }

    /// The images of a folder, without training or validation images reached through a symlink in it.
    pub(crate) fn test_files(
        &mut self,
        folder: &Path,
        config: &IndexConfig,
    ) -> Result<Vec<PathBuf>> {
        let others = self.folders.iter().map(PathBuf::as_path);
        let (files, skipped) = index_outside(folder, &apart_from(folder, others), config)?;
        self.labeled.skipped.extend(skipped);
        Ok(files)
    }

    /// Applies the decisions about test images, and checks that each decision is about an image of the data.
    pub(crate) fn with_all_decided(mut self) -> Result<Self> {
        let labeled = &mut self.labeled;
        let root = match labeled.train.source {
            Some(_) => PathBuf::new(),
            None => labeled.path.clone(),
        };
        if let (Some(pending), Some(test)) = (&self.test_decisions, &mut labeled.test) {
            leave_out(pending, test, &mut labeled.decided)?;
        }
        if let (Some(pending), Some(test)) = (&mut self.decisions, &mut labeled.test) {
            let root = match test.source {
                Some(_) => PathBuf::new(),
                None => labeled.path.clone(),
            };
            pending.meet(&root, &test.files)?;
            leave_out(pending, test, &mut labeled.decided)?;
        }
        for pending in [&self.decisions, &self.test_decisions]
            .into_iter()
            .flatten()
        {
            let parts = [
                Some(&labeled.train),
                Some(&labeled.valid),
                labeled.test.as_ref(),
            ];
            let files = parts.into_iter().flatten().flat_map(|part| &part.files);
            pending.check_met(&root, files)?;
        }
        Ok(self)
    }

    /// Adds test files with labels: `labels[i]` is the label of item i of the list.
    ///
    /// # Errors
    ///
    /// [`LabelError::Count`](crate::LabelError::Count) unless there is one label per file,
    /// [`LabelError::BadLabel`](crate::LabelError::BadLabel), and
    /// [`LabelError::UnknownClasses`](crate::LabelError::UnknownClasses) for a class that the training
    /// files do not have.
    pub fn add_labeled_test<L: Into<Label>>(
        mut self,
        list: ImageList,
        labels: impl IntoIterator<Item = L>,
    ) -> Result<Self> {
        let labels: Vec<Label> = labels.into_iter().map(Into::into).collect();
        check_count(list.len(), labels.len())?;
        let options = self.options.clone().with_kind(self.labeled.kind);
        let mut collector = Collector::new(&options);
        for (path, label) in list.items().iter().zip(labels) {
            collector
                .push(label)
                .map_err(|Rejected { expected, found }| bad_label(path, expected, &found))?;
        }
        let positions = collector.positions(&self.labeled.classes);
        let file = |item: usize| list.items()[item].clone();
        let unknown = collector.unknown("test", 0..list.len(), &positions, file);
        if !unknown.is_empty() {
            return Err(Error::Label(LabelError::UnknownClasses {
                folder: list.path().to_owned(),
                unknown,
                known: self.labeled.classes.to_vec(),
                hint: "Check the labels, or add the test files without them (add_test)".to_owned(),
            }));
        }
        let all: Vec<usize> = (0..list.len()).collect();
        let targets = collector.targets(&all, &positions, self.labeled.classes.len())?;
        if self.labeled.kind == TargetKind::Float && targets.columns() != self.labeled.c {
            return Err(Error::Label(LabelError::Count {
                items: self.labeled.c,
                labels: targets.columns(),
            }));
        }
        self.labeled.skipped.extend(list.skipped);
        self.test_decisions = list.decisions;
        self.labeled.test = Some(LabeledFiles {
            files: list.items,
            source: list.source,
            targets,
        });
        Ok(self)
    }
}

/// Leaves out the test images that decisions exclude. They are matched with the images already.
fn leave_out(pending: &Pending, test: &mut LabeledFiles, decided: &mut Decided) -> Result<()> {
    let all = 0..test.files.len();
    if let Some((entry, label)) = all.clone().find_map(|item| pending.relabel(item)) {
        let expected = "no new label for a test image: give test images their labels with them";
        return Err(pending.bad_label(entry, expected, &quoted(label)).into());
    }
    let (left_out, kept): (Vec<usize>, Vec<usize>) =
        all.partition(|item| pending.is_excluded(*item));
    if kept.is_empty() && !left_out.is_empty() {
        let (part, items) = ("test", left_out.len());
        return Err(DecisionError::NothingLeft { part, items }.into());
    }
    if !left_out.is_empty() {
        let files = left_out.into_iter().map(|item| test.files[item].clone());
        decided.excluded.extend(files);
        *test = test.at(&kept);
    }
    Ok(())
}

pub(crate) fn bad_label(path: &Path, expected: &'static str, found: &str) -> Error {
    Error::Label(LabelError::BadLabel {
        path: path.to_owned(),
        expected,
        found: found.to_owned(),
    })
}

pub(crate) fn check_count(items: usize, labels: usize) -> Result<()> {
    if items == labels {
        Ok(())
    } else {
        Err(Error::Label(LabelError::Count { items, labels }))
    }
}
