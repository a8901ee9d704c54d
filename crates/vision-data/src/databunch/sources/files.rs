//! A list of files.

use std::path::{Path, PathBuf};

use crate::data_block::image_list::ImageList;
use crate::data_block::label_lists::LabelLists;
use crate::databunch::builder::ImageDataBunchBuilder;
use crate::databunch::sources::source::{Reading, Source, TestFolder, Unlabeled, VALID_PCT};
use crate::error::Result;
use crate::files::index::IndexConfig;
use crate::labels::Label;
use crate::labels::names::Pattern;
use crate::split::{PathFn, Split};

/// A list of files.
#[derive(Clone, Debug)]
pub struct FromFiles {
    reading: Reading,
    files: Vec<PathBuf>,
    check: bool,
    labels: Labels,
}

/// The source of the labels for a list of files.
#[derive(Clone, Debug)]
enum Labels {
    List(Vec<Label>),
    Func(PathFn<Label>),
    Pattern(String),
}

impl FromFiles {
    fn new(root: PathBuf, files: Vec<PathBuf>, labels: Labels) -> Self {
        Self {
            reading: Reading::new(root, Some(VALID_PCT)),
            files,
            check: true,
            labels,
        }
    }

    pub(crate) fn with_list(root: PathBuf, files: Vec<PathBuf>, labels: Vec<Label>) -> Self {
        Self::new(root, files, Labels::List(labels))
    }

    pub(crate) fn with_func(root: PathBuf, files: Vec<PathBuf>, label: PathFn<Label>) -> Self {
        Self::new(root, files, Labels::Func(label))
    }

    pub(crate) fn with_pattern(root: PathBuf, files: Vec<PathBuf>, pattern: String) -> Self {
        Self::new(root, files, Labels::Pattern(pattern))
    }
}

impl Source for FromFiles {
    fn check(&self) -> Result<()> {
        if let Labels::Pattern(pattern) = &self.labels {
            Pattern::new(pattern)?;
        }
        self.reading.check()
    }

    fn read(self, _: &TestFolder, seed: u64, _: &IndexConfig) -> Result<LabelLists> {
        let split = self.reading.split(seed).unwrap_or(Split::None);
        let root = self.reading.root.clone();
        let list = match self.check {
            true => ImageList::from_files(root, self.files)?,
            false => ImageList::from_files_unchecked(root, self.files)?,
        };
        let list = self.reading.decide(list)?;
        let list = list.split(split)?.label_with(self.reading.options);
        match self.labels {
            Labels::List(labels) => list.label_from_list(labels),
            Labels::Func(function) => list.label_from_func(|path| function.call(path)),
            Labels::Pattern(pattern) => list.label_from_re(&pattern),
        }
    }

    fn root(&self) -> &Path {
        &self.reading.root
    }
}

impl Unlabeled for FromFiles {
    fn reading(&mut self) -> &mut Reading {
        &mut self.reading
    }
}

impl ImageDataBunchBuilder<FromFiles> {
    /// Does not check that the files exist.
    pub fn no_check(mut self) -> Self {
        self.source.check = false;
        self
    }
}
