//! Saved data as a source.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::path::{Component, Path, PathBuf};

use vision_base::message::shown;

use crate::data_block::label_lists::LabelLists;
use crate::databunch::builder::ImageDataBunchBuilder;
use crate::databunch::sources::source::{Source, TestFolder};
use crate::error::{Error, Result};
use crate::files::disjoint::check_apart;
use crate::files::error::FilesError;
use crate::files::index::IndexConfig;

/// Saved data.
#[derive(Clone, Debug)]
pub struct FromSaved {
    lists: LabelLists,
    /// The file to load.
    file: PathBuf,
    check: bool,
}

impl FromSaved {
    pub(crate) fn new(lists: LabelLists, file: PathBuf) -> Self {
        Self {
            lists,
            file,
            check: true,
        }
    }
}

impl Source for FromSaved {
    fn read(self, _: &TestFolder, _: u64, _: &IndexConfig) -> Result<LabelLists> {
        let Self { lists, file, check } = self;
        let labeled = &lists.labeled;
        let (train, valid) = (&labeled.train.files, &labeled.valid.files);
        check_apart(
            (
                "training",
                train
                    .iter()
                    .map(|file| plain(file))
                    .collect::<Vec<_>>()
                    .iter(),
            ),
            (
                "validation",
                valid
                    .iter()
                    .map(|file| plain(file))
                    .collect::<Vec<_>>()
                    .iter(),
            ),
        )?;
        let parts = [
            Some(&labeled.train),
            Some(&labeled.valid),
            labeled.test.as_ref(),
        ];
        let files = parts.into_iter().flatten().flat_map(|part| &part.files);
        let mut missing = files.filter(|file| check && !file.is_file());
        let error = missing.next().map(|first| {
            Error::Files(FilesError::MissingFiles {
                count: 1 + missing.count(),
                first: first.clone(),
                named_by: shown(file),
            })
        });
        error.map_or(Ok(lists), Err)
    }

    fn root(&self) -> &Path {
        &self.lists.labeled.path
    }
}

impl ImageDataBunchBuilder<FromSaved> {
    /// Does not check that the files exist.
    pub fn no_check(mut self) -> Self {
        self.source.check = false;
        self
    }
}

/// A path with `..` resolved: "valid/../train/1.png" is in the training folder.
fn plain(file: &Path) -> Cow<'_, OsStr> {
    if file.components().all(|part| part != Component::ParentDir) {
        return Cow::Borrowed(file.as_os_str());
    }
    let mut plain = PathBuf::new();
    for part in file.components() {
        match part {
            Component::ParentDir => _ = plain.pop(),
            part => plain.push(part),
        }
    }
    Cow::Owned(plain.into_os_string())
}
