//! Reading a folder that is laid out like ImageNet.

use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::items::{check_folder, describe_folder, image_files_outside};
use crate::labels::{Labelled, check_classes};
use crate::split;

/// Where to look for the test images.
#[derive(Clone, Debug)]
pub(crate) enum TestFolder {
    /// In `test`, if there is such a folder.
    IfPresent,
    /// There, and nowhere else.
    Named(String),
    /// Nowhere: a folder called `test` is one like the others.
    None,
}

/// What is to be read.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    pub(crate) root: PathBuf,
    pub(crate) train: String,
    pub(crate) valid: String,
    pub(crate) test: TestFolder,
    pub(crate) valid_pct: Option<f64>,
    pub(crate) seed: u64,
    pub(crate) classes: Option<Vec<String>>,
}

/// Files and the positions of their classes.
pub(crate) type Part = (Vec<PathBuf>, Vec<u32>);

/// What was found.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) classes: Vec<String>,
    pub(crate) train: Part,
    pub(crate) valid: Part,
    pub(crate) test: Option<Vec<PathBuf>>,
}

impl Layout {
    pub(crate) fn read(&self) -> Result<Found> {
        check_folder(&self.root)?;
        if let Some(classes) = &self.classes {
            check_classes(classes)?;
        }
        let test_folder = self.test_folder()?;
        let (train, valid) = match self.valid_pct {
            Some(valid_pct) => self.split_at_random(valid_pct, test_folder.as_deref())?,
            None => (
                self.part(&self.train, "training")?,
                self.part(&self.valid, "validation")?,
            ),
        };
        let classes = self.classes.clone().unwrap_or_else(|| train.classes());
        if classes.len() < 2 {
            return Err(Error::TooFewClasses {
                folder: self.root.clone(),
                classes,
            });
        }
        let test = match test_folder {
            Some(folder) => {
                let files = image_files_outside(&folder, None)?;
                if files.is_empty() && matches!(self.test, TestFolder::Named(_)) {
                    return Err(no_images(&folder, "test"));
                }
                Some(files).filter(|files| !files.is_empty())
            }
            None => None,
        };
        Ok(Found {
            train: self.encode(train, &classes)?,
            valid: self.encode(valid, &classes)?,
            classes,
            test,
        })
    }

    /// The test folder if there is one.
    fn test_folder(&self) -> Result<Option<PathBuf>> {
        match &self.test {
            TestFolder::None => Ok(None),
            TestFolder::IfPresent => Ok(Some(self.root.join("test")).filter(|path| path.is_dir())),
            TestFolder::Named(name) => self.folder(name, "test").map(Some),
        }
    }

    fn folder(&self, name: &str, part: &'static str) -> Result<PathBuf> {
        let folder = self.root.join(name);
        if folder.is_dir() {
            return Ok(folder);
        }
        Err(Error::MissingFolder {
            folder: self.root.clone(),
            name: name.to_owned(),
            part,
            found: describe_folder(&self.root),
        })
    }

    fn part(&self, name: &str, part: &'static str) -> Result<Labelled> {
        let folder = self.folder(name, part)?;
        let files = image_files_outside(&folder, None)?;
        if files.is_empty() {
            return Err(no_images(&folder, part));
        }
        self.limit(Labelled::by_folder(files, &folder)?, part)
    }

    fn split_at_random(&self, valid_pct: f64, test: Option<&Path>) -> Result<(Labelled, Labelled)> {
        split::check_valid_pct(valid_pct)?;
        let files = image_files_outside(&self.root, test)?;
        if files.is_empty() {
            return Err(no_images(&self.root, "training or validation"));
        }
        let all = self.limit(
            Labelled::by_folder(files, &self.root)?,
            "training or validation",
        )?;
        let items = all.len();
        let (valid, train) = all.split(&split::random(items, valid_pct, self.seed)?);
        if train.len() == 0 {
            return Err(Error::EmptySplit {
                valid_pct,
                items,
                part: "training",
            });
        }
        Ok((train, valid))
    }

    /// Without the classes that were not asked for.
    fn limit(&self, part: Labelled, name: &'static str) -> Result<Labelled> {
        let Some(classes) = &self.classes else {
            return Ok(part);
        };
        let found = part.classes();
        let part = part.only(classes);
        if part.len() > 0 {
            return Ok(part);
        }
        Err(Error::BadClasses {
            reason: format!(
                "no {name} image in {} has one of {classes:?}; the classes found are {found:?}",
                self.root.display()
            ),
        })
    }

    fn encode(&self, part: Labelled, classes: &[String]) -> Result<Part> {
        part.encode(classes).map_err(|unknown| {
            let (folder, hint) = if self.valid_pct.is_some() {
                (
                    self.root.clone(),
                    "The random split put all images of such a class in validation: use another \
                     seed or a smaller valid_pct, add images, or name the classes with `.classes`",
                )
            } else {
                (
                    self.root.join(&self.valid),
                    "Check the names of the folders, or name the classes to use with `.classes`",
                )
            };
            Error::UnknownClasses {
                folder,
                unknown,
                known: classes.to_vec(),
                hint,
            }
        })
    }
}

fn no_images(folder: &Path, part: &'static str) -> Error {
    Error::NoImages {
        folder: folder.to_owned(),
        part,
        found: describe_folder(folder),
    }
}
