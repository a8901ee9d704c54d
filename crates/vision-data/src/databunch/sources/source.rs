//! The trait of a builder's source.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::data_block::image_list::ImageList;
use crate::data_block::label_lists::LabelLists;
use crate::decisions::file::Decisions;
use crate::error::Result;
use crate::files::index::IndexConfig;
use crate::labels::options::LabelOptions;
use crate::split::{Split, check_valid_pct};

/// The default share of validation, as in fastai.
pub(super) const VALID_PCT: f64 = 0.2;

/// A source of labeled files for a builder.
pub trait Source: Sized {
    /// Checks the options before anything is read.
    #[doc(hidden)]
    fn check(&self) -> Result<()> {
        Ok(())
    }

    /// Reads files and labels. Folders are read as `indexing` says; random splits use `seed`.
    #[doc(hidden)]
    fn read(self, test: &TestFolder, seed: u64, indexing: &IndexConfig) -> Result<LabelLists>;

    /// The test folder to use if none is named.
    #[doc(hidden)]
    fn optional_test(&self) -> Option<PathBuf> {
        None
    }

    /// The root folder.
    #[doc(hidden)]
    fn root(&self) -> &Path;
}

/// A source whose files have yet to be split and labeled.
pub trait Unlabeled: Source {
    /// The options of the source.
    #[doc(hidden)]
    fn reading(&mut self) -> &mut Reading;
}

/// The folder of the test images.
#[derive(Clone, Debug)]
pub enum TestFolder {
    /// The default of the source: `test`, if there is such a folder, when a folder is read.
    Default,
    /// This folder.
    Named(String),
    /// No folder: a folder called `test` is treated like the others.
    None,
}

/// How files are split and labeled.
#[derive(Clone, Debug)]
pub struct Reading {
    pub(super) root: PathBuf,
    pub(super) valid_pct: Option<f64>,
    pub(super) split: Option<Split>,
    pub(super) options: LabelOptions,
    pub(super) decisions: Option<Arc<Decisions>>,
}

impl Reading {
    pub(super) fn new(root: PathBuf, valid_pct: Option<f64>) -> Self {
        Self {
            root,
            valid_pct,
            split: None,
            options: LabelOptions::default(),
            decisions: None,
        }
    }

    pub(super) fn check(&self) -> Result<()> {
        self.valid_pct.map_or(Ok(()), check_valid_pct)?;
        self.split.as_ref().map_or(Ok(()), Split::check)?;
        self.options.check()
    }

    /// The list with the decisions, if there are any.
    pub(super) fn decide(&self, list: ImageList) -> Result<ImageList> {
        match &self.decisions {
            Some(decisions) => list.with_decisions(Arc::clone(decisions)),
            None => Ok(list),
        }
    }

    /// The requested split, if any.
    pub(super) fn split(&self, seed: u64) -> Option<Split> {
        let random = |valid_pct| Split::Random { valid_pct, seed };
        self.split.clone().or(self.valid_pct.map(random))
    }
}

impl Source for LabelLists {
    fn read(self, _: &TestFolder, _: u64, _: &IndexConfig) -> Result<LabelLists> {
        Ok(self)
    }

    fn root(&self) -> &Path {
        &self.labeled.path
    }
}
