//! Classes without files.

use std::path::{Path, PathBuf};

use vision_base::OptionError;

use crate::data_block::label_lists::LabelLists;
use crate::data_block::labeled::{Labeled, LabeledFiles};
use crate::databunch::builder::ImageDataBunchBuilder;
use crate::databunch::sources::source::{Source, TestFolder};
use crate::decisions::record::Decided;
use crate::error::{Error, Result};
use crate::files::index::{IndexConfig, Skipped};
use crate::labels::kind::TargetKind;
use crate::labels::options::{LabelOptions, check_classes, check_enough};
use crate::labels::targets::Targets;

/// Classes without files, for a learner that only predicts.
#[derive(Clone, Debug)]
pub struct FromClasses {
    root: PathBuf,
    classes: Vec<String>,
    kind: TargetKind,
}

impl FromClasses {
    pub(crate) fn new(root: PathBuf, classes: Vec<String>) -> Self {
        Self {
            root,
            classes,
            kind: TargetKind::Category,
        }
    }
}

impl Source for FromClasses {
    fn check(&self) -> Result<()> {
        check_classes(&self.classes)?;
        if self.kind == TargetKind::Float {
            return Err(Error::Option(OptionError::new(
                "kind",
                "one class per item, or several",
                self.kind.describe().to_owned(),
            )));
        }
        check_enough(self.kind, &self.classes, &self.root)
    }

    fn read(self, _: &TestFolder, _: u64, _: &IndexConfig) -> Result<LabelLists> {
        let nothing = || LabeledFiles {
            files: Vec::new(),
            source: None,
            targets: Targets::Empty(0),
        };
        Ok(LabelLists {
            labeled: Labeled {
                path: self.root,
                kind: self.kind,
                c: self.classes.len(),
                classes: self.classes.into(),
                dropped: Vec::new(),
                skipped: Skipped::default(),
                decided: Decided::default(),
                train: nothing(),
                valid: nothing(),
                test: None,
            },
            options: LabelOptions::default(),
            folders: Vec::new(),
            decisions: None,
            test_decisions: None,
        })
    }

    fn root(&self) -> &Path {
        &self.root
    }
}

impl ImageDataBunchBuilder<FromClasses> {
    /// Whether an item has one class (the default) or several.
    pub fn kind(mut self, kind: TargetKind) -> Self {
        self.source.kind = kind;
        self
    }
}
