//! A folder of images.

use std::collections::{BTreeSet, HashSet};
use std::path::{Path, PathBuf};

use super::{Reading, Source, TestFolder};
use crate::builder::ImageDataBunchBuilder;
use crate::data_block::{LabelLists, none_left};
use crate::error::Result;
use crate::item_list::{ImageList, part_folder};
use crate::items::{IndexConfig, check_folder};
use crate::labels::UnknownLabels;
use crate::names::folder_name;
use crate::split::Split;

/// A folder that is laid out like ImageNet.
#[derive(Clone, Debug)]
pub struct FromFolder {
    pub(super) reading: Reading,
    train: String,
    valid: String,
}

impl FromFolder {
    pub(crate) fn new(root: PathBuf) -> Self {
        Self {
            reading: Reading::new(root, None),
            train: "train".to_owned(),
            valid: "valid".to_owned(),
        }
    }
}

impl Source for FromFolder {
    fn check(&self) -> Result<()> {
        self.reading.check()
    }

    fn read(self, test: &TestFolder, seed: u64, indexing: &IndexConfig) -> Result<LabelLists> {
        let root = self.reading.root.clone();
        check_folder(&root)?;
        let test = match test {
            TestFolder::Named(name) => Some(part_folder(&root, name, "test")?),
            TestFolder::Default => self.optional_test(),
            TestFolder::None => None,
        };
        let mut options = self.reading.options.clone();
        let (list, split) = match self.reading.split(seed) {
            None => {
                // Naming the classes is choosing among the folders.
                if options.classes.is_some() {
                    options.unknown = UnknownLabels::Drop;
                }
                let list = ImageList::from_parts(&root, &self.train, &self.valid, indexing)?;
                let (train, valid) = (self.train, self.valid);
                (list, Split::Folders { train, valid })
            }
            Some(split) => {
                let list = ImageList::from_folder_outside(&root, test.as_deref(), indexing)?;
                match &options.classes {
                    Some(classes) => (only_classes(list, classes)?, split),
                    None => (list, split),
                }
            }
        };
        list.split(&split)?.label_with(options).label_from_folder()
    }

    fn optional_test(&self) -> Option<PathBuf> {
        Some(self.reading.root.join("test")).filter(|folder| folder.is_dir())
    }

    fn root(&self) -> &Path {
        &self.reading.root
    }
}

/// The files in folders that are named like one of these classes.
fn only_classes(list: ImageList, classes: &[String]) -> Result<ImageList> {
    let known: HashSet<&str> = classes.iter().map(String::as_str).collect();
    let class = |path: &Path| {
        path.parent()
            .and_then(|folder| folder_name(folder).ok().map(ToOwned::to_owned))
    };
    let found: BTreeSet<String> = list.items().iter().filter_map(|path| class(path)).collect();
    let root = list.path().to_owned();
    let list =
        list.filter_by_func(|path| class(path).is_some_and(|name| known.contains(name.as_str())));
    if list.is_empty() {
        let found: Vec<String> = found.into_iter().collect();
        return Err(none_left("training or validation", &root, classes, &found));
    }
    Ok(list)
}

impl ImageDataBunchBuilder<FromFolder> {
    /// The folder of the training images, in the root.
    pub fn train(mut self, folder: impl Into<String>) -> Self {
        self.source.train = folder.into();
        self
    }

    /// The folder of the validation images, in the root.
    pub fn valid(mut self, folder: impl Into<String>) -> Self {
        self.source.valid = folder.into();
        self
    }

    /// Reads no test images: with [`valid_pct`](Self::valid_pct), `test` may then be a class.
    pub fn no_test(mut self) -> Self {
        self.test = TestFolder::None;
        self
    }
}
