//! A folder of images as a source.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

use vision_base::message::{listed, quoted, shown};

use crate::data_block::image_list::ImageList;
use crate::data_block::label_lists::LabelLists;
use crate::databunch::builder::ImageDataBunchBuilder;
use crate::databunch::sources::source::{Reading, Source, TestFolder, Unlabeled};
use crate::error::{Error, Result};
use crate::files::disjoint::part_folder;
use crate::files::index::{IndexConfig, check_folder};
use crate::labels::alike;
use crate::labels::error::LabelError;
use crate::labels::kind::Dropped;
use crate::labels::names::folder_name;
use crate::labels::options::UnknownLabels;
use crate::split::Split;

/// A folder with the layout of ImageNet: one folder per class.
#[derive(Clone, Debug)]
pub struct FromFolder {
    reading: Reading,
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
        let mut left_out = Vec::new();
        let (list, split) = match self.reading.split(seed) {
            None => {
                // Naming the classes selects among the folders.
                if options.classes.is_some() {
                    options.unknown = UnknownLabels::Drop;
                }
                let list = ImageList::from_parts(
                    &root,
                    &self.train,
                    &self.valid,
                    test.as_deref(),
                    indexing,
                )?;
                let list = self.reading.decide(list)?;
                if let Some(classes) = &options.classes {
                    let train = root.join(&self.train);
                    check_found(classes, &folders(&list, &train), &train)?;
                }
                let (train, valid) = (self.train, self.valid);
                (list, Split::Folders { train, valid })
            }
            Some(split) => {
                let list = ImageList::from_folder_outside(&root, test.as_slice(), indexing)?;
                let list = self.reading.decide(list)?;
                match &options.classes {
                    Some(classes) => {
                        let chosen;
                        (chosen, left_out) = only_classes(list, classes)?;
                        (chosen, split)
                    }
                    None => (list, split),
                }
            }
        };
        let mut lists = list.split(split)?.label_with(options).label_from_folder()?;
        lists.labeled.dropped.extend(left_out);
        Ok(lists)
    }

    fn optional_test(&self) -> Option<PathBuf> {
        Some(self.reading.root.join("test")).filter(|folder| folder.is_dir())
    }

    fn root(&self) -> &Path {
        &self.reading.root
    }
}

impl Unlabeled for FromFolder {
    fn reading(&mut self) -> &mut Reading {
        &mut self.reading
    }
}

/// The class of an item: its folder, or its new label.
fn class_of(list: &ImageList, position: usize) -> Option<&str> {
    let folder = || folder_name(list.items()[position].parent()?).ok();
    list.new_label(position).or_else(folder)
}

/// The classes of the files under `root`, each with its number of files and its first file.
fn folders<'a>(list: &'a ImageList, root: &Path) -> BTreeMap<String, (usize, &'a Path)> {
    let mut folders = BTreeMap::new();
    for (position, file) in list.items().iter().enumerate() {
        if !file.starts_with(root) || list.is_excluded(position) {
            continue;
        }
        if let Some(name) = class_of(list, position) {
            folders
                .entry(name.to_owned())
                .or_insert((0, file.as_path()))
                .0 += 1;
        }
    }
    folders
}

/// Rejects requested classes without a folder: most likely a typo, which would lose the whole class.
fn check_found(
    classes: &[String],
    found: &BTreeMap<String, (usize, &Path)>,
    folder: &Path,
) -> Result<()> {
    match classes.iter().find(|class| !found.contains_key(*class)) {
        None => Ok(()),
        Some(class) => Err(Error::Label(LabelError::BadClasses {
            reason: format!(
                "no image in {} is in a folder called {}; the folders are {}. (A class without \
                 an image here can be named in the data block, with `label_with`.){}",
                shown(folder),
                quoted(class),
                listed(found.keys()),
                alike::note([class.as_str()], &found.keys().cloned().collect::<Vec<_>>())
            ),
        })),
    }
}

/// Keeps the files in folders named after one of these classes, and records what is left out.
fn only_classes(list: ImageList, classes: &[String]) -> Result<(ImageList, Vec<Dropped>)> {
    let found = folders(&list, list.path());
    check_found(classes, &found, list.path())?;
    let left_out = found.iter().filter(|(name, _)| !classes.contains(name));
    let left_out = left_out.map(|(name, &(items, first))| Dropped {
        part: "training or validation",
        label: name.clone(),
        items,
        first: first.to_owned(),
    });
    let left_out = left_out.collect();
    let known: HashSet<&str> = classes.iter().map(String::as_str).collect();
    let classes = (0..list.len()).map(|position| class_of(&list, position));
    let kept: Vec<bool> = classes
        .map(|class| class.is_some_and(|class| known.contains(class)))
        .collect();
    Ok((list.filter(|position, _| kept[position]), left_out))
}

impl ImageDataBunchBuilder<FromFolder> {
    /// The folder of the training images, under the root.
    pub fn train(mut self, folder: impl Into<String>) -> Self {
        self.source.train = folder.into();
        self
    }

    /// The folder of the validation images, under the root.
    pub fn valid(mut self, folder: impl Into<String>) -> Self {
        self.source.valid = folder.into();
        self
    }

    /// Reads no test images. With [`valid_pct`](Self::valid_pct), `test` may then be a class.
    pub fn no_test(mut self) -> Self {
        self.test = TestFolder::None;
        self
    }
}
