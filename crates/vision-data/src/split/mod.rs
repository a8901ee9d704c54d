//! Splits: how validation items are chosen.

pub(crate) mod error;
pub(crate) mod files;
pub(crate) mod folds;
pub(crate) mod numpy;
pub(crate) mod random;

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use vision_base::OptionError;
use vision_base::message::shown;

use crate::databunch::error::DataError;
use crate::error::{Error, Result};
use crate::files::disjoint::part_folder;
use crate::files::index::{no_images, under};
use crate::files::text;
use crate::labels::names::{Names, Pattern, folder_name};
use crate::labels::targets::Targets;
use crate::split::error::SplitError;
use crate::table::column::Column;
use crate::table::items::{ItemColumn, Rows};

/// How items are split into training and validation.
///
/// [`ImageList`](crate::ImageList) has methods with fastai's names, such as
/// [`split_by_rand_pct`](crate::ImageList::split_by_rand_pct). Random splits depend only on the seed
/// and the order of the items.
///
/// ```
/// use vision_data::{By, ImageList, Split};
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = vision_data::datasets::synthetic::digits(&folder.path().join("digits"), 1, 20, 5)?;
/// // The same share of each class in validation.
/// let split = Split::Stratified { valid_pct: 0.2, seed: 42, by: By::Folder };
/// let lists = ImageList::from_folder(&path)?.split(split)?;
/// assert_eq!((lists.train_len(), lists.valid_len()), (40, 10));
/// # Ok::<(), vision_data::Error>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Split {
    #[doc(alias = "split_none")]
    /// All items are for training.
    None,
    #[doc(alias = "split_by_folder")]
    /// By the first folder under the root; items in neither folder are left out.
    Folders {
        /// The folder of the training items, such as `train`.
        train: String,
        /// The folder of the validation items, such as `valid`.
        valid: String,
    },
    #[doc(alias = "split_by_rand_pct")]
    /// `⌊valid_pct · items⌋` random items; see [`random_split`](crate::random_split).
    Random {
        /// The share of validation, in `[0, 1)`.
        valid_pct: f64,
        /// The seed of the choice.
        seed: u64,
    },
    /// The items that fastai v1 chooses for this seed, in the same order. It draws with numpy's legacy
    /// generator (`numpy.random.seed`, `numpy.random.permutation`). fastai lists files in the order of
    /// the file system, so the items match only if they come from a table or a list.
    Numpy {
        /// The share of validation, in `[0, 1)`.
        valid_pct: f64,
        /// fastai's seed.
        seed: u32,
    },
    #[doc(alias = "split_subsets")]
    /// Random subsets for a quick trial: `⌊train · items⌋` and `⌊valid · items⌋` items.
    Subsets {
        /// The share of training, in `(0, 1)`.
        train: f64,
        /// The share of validation, in `(0, 1)`; the sum of both shares is at most 1.
        valid: f64,
        /// The seed of the choice.
        seed: u64,
    },
    #[doc(alias = "split_by_idx")]
    /// Items at these positions are for validation, the others for training.
    ValidIndices(Vec<usize>),
    #[doc(alias = "split_by_idxs")]
    /// Items at the given positions are for training or validation; others are left out.
    Indices {
        /// Positions of training items.
        train: Vec<usize>,
        /// Positions of validation items.
        valid: Vec<usize>,
    },
    #[doc(alias = "split_by_files")]
    /// The files with these names are for validation. `1.png` matches in any folder; `cat/1.png` is
    /// relative to the root, begins with the root, or is absolute; `./1.png` is in the root itself.
    Files(Vec<String>),
    #[doc(alias = "split_by_fname_file")]
    /// Like [`Files`](Self::Files), with the names in a text file, one per line. A relative path to it
    /// is relative to the root, unless it already begins with the root.
    FilesIn(PathBuf),
    #[doc(alias = "split_by_valid_func")]
    /// The files for which the function returns `true` are for validation.
    Func(PathFn<bool>),
    #[doc(alias = "split_from_df")]
    /// By a column of the table: `true`, `1` or `valid` for validation; `false`, `0` or `train` for training.
    Column(Column),
    /// The same share of each class: `⌊valid_pct · items of the class⌋` or one more, but never all of
    /// its items. The total is that of [`Random`](Self::Random), or less if classes are too small to
    /// give one more.
    Stratified {
        /// The share of validation, in `[0, 1)`.
        valid_pct: f64,
        /// The seed of the choice.
        seed: u64,
        /// How the class of an item is found.
        by: By,
    },
    /// Whole groups: no group, such as the images of one patient, is in both parts. At most
    /// `⌊valid_pct · items⌋` items, unless the smallest group is larger: then that group.
    Grouped {
        /// The share of validation, in `[0, 1)`.
        valid_pct: f64,
        /// The seed of the choice.
        seed: u64,
        /// How the group of an item is found.
        by: By,
    },
    /// Fold number `fold` of `folds` is for validation; each item is in one fold.
    Fold {
        /// The index of the fold, from 0.
        fold: usize,
        /// The number of folds.
        folds: usize,
        /// The seed of the folds. Use the same seed for all folds.
        seed: u64,
    },
    /// Like [`Fold`](Self::Fold), with the same share of each class in every fold.
    StratifiedFold {
        /// The index of the fold, from 0.
        fold: usize,
        /// The number of folds.
        folds: usize,
        /// The seed of the folds. Use the same seed for all folds.
        seed: u64,
        /// How the class of an item is found.
        by: By,
    },
    /// Like [`Fold`](Self::Fold), with each group entirely in one fold.
    GroupedFold {
        /// The index of the fold, from 0.
        fold: usize,
        /// The number of folds.
        folds: usize,
        /// The seed of the folds. Use the same seed for all folds.
        seed: u64,
        /// How the group of an item is found.
        by: By,
    },
}

/// How the class or group of an item is found before items have labels.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum By {
    /// The name of the folder that contains the file.
    Folder,
    /// A column of the table.
    Column(Column),
    /// What the first group of a pattern captures in the path.
    Pattern(String),
    /// The result of a function of the path.
    Func(PathFn<String>),
    /// The label of the item: its class, or its classes together. Only for items that have labels already
    /// ([`ImageDataBunch::with_split`](crate::ImageDataBunch::with_split)).
    Label,
}

/// A function of a file's path.
#[derive(Clone)]
pub struct PathFn<T>(Arc<dyn Fn(&Path) -> T + Send + Sync>);

impl<T> PathFn<T> {
    /// Wraps a function for use as an option.
    pub fn new(function: impl Fn(&Path) -> T + Send + Sync + 'static) -> Self {
        Self(Arc::new(function))
    }

    pub(crate) fn call(&self, path: &Path) -> T {
        (self.0)(path)
    }
}

impl<T> fmt::Debug for PathFn<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PathFn")
    }
}

/// The items to split.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Items<'a> {
    /// The folder to which file names are relative.
    pub(crate) path: &'a Path,
    /// The prefix of the item names: the root folder, or nothing if the items are not files.
    pub(crate) root: &'a Path,
    pub(crate) files: &'a [PathBuf],
    pub(crate) are_files: bool,
    /// The table from which the items come.
    pub(crate) rows: Option<&'a Rows>,
    /// The labels, if the items have them already.
    pub(crate) labels: Option<&'a Targets>,
}

impl<'a> Items<'a> {
    fn column(self, column: &Column) -> Result<ItemColumn<'a>> {
        ItemColumn::of(self.rows, column)
    }
}

/// The positions of the items of both parts.
#[derive(Clone, Debug)]
pub(crate) struct Parts {
    pub(crate) train: Vec<usize>,
    pub(crate) valid: Vec<usize>,
}

impl Parts {
    /// Uses everything except `valid` for training.
    fn others(items: usize, valid: Vec<usize>) -> Self {
        let mut is_valid = vec![false; items];
        for &position in &valid {
            if let Some(flag) = is_valid.get_mut(position) {
                *flag = true;
            }
        }
        let train = (0..items).filter(|&i| !is_valid[i]).collect();
        Self { train, valid }
    }
}

impl Split {
    /// Checks what does not depend on the items.
    pub(crate) fn check(&self) -> Result<()> {
        match self {
            Self::Random { valid_pct, .. }
            | Self::Numpy { valid_pct, .. }
            | Self::Stratified { valid_pct, .. }
            | Self::Grouped { valid_pct, .. } => check_valid_pct(*valid_pct),
            Self::Subsets { train, valid, .. } => {
                let inside = |share: f64| share > 0.0 && share < 1.0;
                if inside(*train) && inside(*valid) && train + valid <= 1.0 {
                    return Ok(());
                }
                Err(Error::Option(OptionError::new(
                    "subsets",
                    "two fractions above 0 and below 1, together at most 1",
                    format!("{train} for training and {valid} for validation"),
                )))
            }
            Self::Fold { fold, folds, .. }
            | Self::StratifiedFold { fold, folds, .. }
            | Self::GroupedFold { fold, folds, .. } => {
                if *folds >= 2 && fold < folds {
                    return Ok(());
                }
                Err(Error::Option(OptionError::new(
                    "fold",
                    "at least 2 folds, and a fold counted from 0",
                    format!("fold {fold} of {folds}"),
                )))
            }
            _ => Ok(()),
        }
    }

    /// Checks that each fold can have an item or a group.
    fn check_folds(&self, most: usize, of: &str) -> Result<()> {
        match self {
            Self::Fold { folds, .. }
            | Self::StratifiedFold { folds, .. }
            | Self::GroupedFold { folds, .. }
                if *folds > most =>
            {
                Err(Error::Option(OptionError::new(
                    "folds",
                    "at most as many folds as there are items, or groups",
                    format!("{folds} folds for {most} {of}"),
                )))
            }
            _ => Ok(()),
        }
    }

    /// A phrase that describes the split, for messages.
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::None => "no split".to_owned(),
            Self::Folders { train, valid } => {
                format!("the split by folders {train:?} and {valid:?}")
            }
            Self::Random { valid_pct, .. } | Self::Numpy { valid_pct, .. } => {
                format!("valid_pct {valid_pct}")
            }
            Self::Subsets { train, valid, .. } => format!("subsets of {train} and {valid}"),
            Self::ValidIndices(_) | Self::Indices { .. } => "the split by positions".to_owned(),
            Self::Files(_) => "the split by names of files".to_owned(),
            Self::FilesIn(path) => format!("the split by {}", shown(path)),
            Self::Func(_) => "the split by a function".to_owned(),
            Self::Column(column) => format!("the split by column {column}"),
            Self::Stratified { valid_pct, .. } => format!("a stratified valid_pct {valid_pct}"),
            Self::Grouped { valid_pct, .. } => format!("a grouped valid_pct {valid_pct}"),
            Self::Fold { fold, folds, .. }
            | Self::StratifiedFold { fold, folds, .. }
            | Self::GroupedFold { fold, folds, .. } => format!("fold {fold} of {folds}"),
        }
    }

    /// What to do about an empty part.
    fn remedy(&self) -> &'static str {
        match self {
            Self::Subsets { .. } => "raise its share, or use more images",
            Self::ValidIndices(_) | Self::Indices { .. } => "give positions for both parts",
            Self::Files(_) | Self::FilesIn(_) => {
                "name some of the images but not all of them, or use Split::None for no validation"
            }
            Self::Func(_) => "it must return true for some images and false for others",
            Self::Column(_) => {
                "some of its cells must say validation (true, 1, valid), and others training (false, 0, train)"
            }
            Self::Stratified { .. } => {
                "each class keeps at least one image for training: use more images per class, or a random split"
            }
            Self::Grouped { .. } => {
                "groups are never divided, so at least two are needed: check that `by` gives different groups"
            }
            // With the other splits, two images are enough for both parts.
            _ => "use more images",
        }
    }

    /// Whether the split asks for no validation items.
    fn without_validation(&self) -> bool {
        match self {
            Self::None => true,
            Self::Random { valid_pct, .. }
            | Self::Numpy { valid_pct, .. }
            | Self::Stratified { valid_pct, .. }
            | Self::Grouped { valid_pct, .. } => *valid_pct == 0.0,
            Self::ValidIndices(valid) | Self::Indices { valid, .. } => valid.is_empty(),
            _ => false,
        }
    }

    /// The positions of both parts. Neither is empty, unless no validation was requested.
    pub(crate) fn parts(&self, list: Items<'_>) -> Result<Parts> {
        self.check()?;
        let items = list.files.len();
        self.check_folds(items, "items")?;
        let parts = self.choose(list)?;
        let empty = |part| {
            Err(Error::Split(SplitError::Empty {
                split: self.describe(),
                items,
                part,
                hint: match items {
                    0 => "the list is empty: check the filters",
                    _ => self.remedy(),
                },
            }))
        };
        if parts.train.is_empty() {
            return empty("training");
        }
        if parts.valid.is_empty() && !self.without_validation() {
            return empty("validation");
        }
        Ok(parts)
    }

    fn choose(&self, list: Items<'_>) -> Result<Parts> {
        let items = list.files.len();
        let others = |valid| Parts::others(items, valid);
        let fold = |number: usize, folds: Vec<usize>| {
            others((0..items).filter(|&i| folds[i] == number).collect())
        };
        Ok(match self {
            Self::None => others(Vec::new()),
            Self::Folders { train, valid } => by_folders(list, train, valid)?,
            Self::Random { valid_pct, seed } => {
                others(random::random_split(items, *valid_pct, *seed)?)
            }
            Self::Numpy { valid_pct, seed } => {
                let wanted = random::wanted(items, *valid_pct)?;
                let mut order = numpy::permutation(items, *seed);
                order.truncate(wanted);
                others(order)
            }
            Self::Subsets { train, valid, seed } => {
                let order = random::shuffled(items, *seed);
                let part = |share: f64| (items as f64 * share) as usize;
                let cut = part(*train);
                let (train, rest) = order.split_at(cut);
                let end = part(*valid).min(rest.len());
                let sorted = |positions: &[usize]| {
                    let mut positions = positions.to_vec();
                    positions.sort_unstable();
                    positions
                };
                Parts {
                    train: sorted(train),
                    valid: sorted(&rest[..end]),
                }
            }
            Self::ValidIndices(valid) => {
                check_positions(valid, &[], items)?;
                others(valid.clone())
            }
            Self::Indices { train, valid } => {
                check_positions(train, valid, items)?;
                Parts {
                    train: train.clone(),
                    valid: valid.clone(),
                }
            }
            Self::Files(names) => others(files::named(list, names, None)?),
            Self::FilesIn(file) => {
                let file = under(list.path, file.clone());
                others(files::named(list, &text::lines(&file)?, Some(&file))?)
            }
            Self::Func(function) => {
                let valid = list.files.iter().enumerate();
                let valid = valid.filter(|(_, path)| function.call(path));
                others(valid.map(|(position, _)| position).collect())
            }
            Self::Column(column) => others(by_column(list, column)?),
            Self::Stratified {
                valid_pct,
                seed,
                by,
            } => others(random::stratified(&by.keys(list)?, *valid_pct, *seed)?),
            Self::Grouped {
                valid_pct,
                seed,
                by,
            } => others(random::grouped(&by.keys(list)?, *valid_pct, *seed)?),
            Self::Fold {
                fold: number,
                folds,
                seed,
            } => fold(*number, random::folds(items, None, *folds, *seed)),
            Self::StratifiedFold {
                fold: number,
                folds,
                seed,
                by,
            } => {
                let keys = by.keys(list)?;
                fold(*number, random::folds(items, Some(&keys), *folds, *seed))
            }
            Self::GroupedFold {
                fold: number,
                folds,
                seed,
                by,
            } => {
                let keys = by.keys(list)?;
                let groups = keys.iter().max().map_or(0, |&last| last as usize + 1);
                self.check_folds(groups, "groups")?;
                fold(*number, random::grouped_folds(&keys, *folds, *seed))
            }
        })
    }
}

impl By {
    /// The number of each item's class or group.
    fn keys(&self, list: Items<'_>) -> Result<Vec<u32>> {
        let mut names = Names::default();
        let items = list.files.iter();
        match self {
            Self::Folder => items
                .map(|path| Ok(names.number(folder_name(path.parent().unwrap_or(path))?)))
                .collect(),
            Self::Column(column) => {
                let column = list.column(column)?;
                (0..list.files.len())
                    .map(|item| Ok(names.number(column.text(item)?)))
                    .collect()
            }
            Self::Pattern(pattern) => {
                let pattern = Pattern::new(pattern)?;
                items
                    .map(|path| Ok(names.number(&pattern.label(path)?)))
                    .collect()
            }
            Self::Func(function) => items
                .map(|path| Ok(names.number(&function.call(path))))
                .collect(),
            Self::Label => by_label(list.labels),
        }
    }
}

fn by_label(labels: Option<&Targets>) -> Result<Vec<u32>> {
    let refuse = |found: &str| {
        Err(Error::Option(OptionError::new(
            "by",
            "By::Label for items that have classes already (ImageDataBunch::with_split); By::Folder, By::Column, \
             By::Pattern or By::Func for others",
            found,
        )))
    };
    match labels {
        Some(Targets::Category(classes)) => Ok(classes.clone()),
        Some(Targets::MultiCategory(labels)) => {
            let mut numbers = HashMap::new();
            let sets = (0..labels.len()).filter_map(|item| labels.get(item));
            let number = |set| {
                let next = numbers.len() as u32;
                *numbers.entry(set).or_insert(next)
            };
            Ok(sets.map(number).collect())
        }
        Some(Targets::Float { .. }) => refuse("By::Label for items whose labels are numbers"),
        Some(Targets::Empty(_)) | None => refuse("By::Label for items without labels"),
    }
}

fn by_folders(list: Items<'_>, train: &str, valid: &str) -> Result<Parts> {
    let folder = |name, part| match list.are_files {
        true => part_folder(list.root, name, part),
        false => Ok(PathBuf::from(name)),
    };
    let train_folder = folder(train, "training")?;
    let valid_folder = folder(valid, "validation")?;
    let inside = |folder: &Path, part| {
        let positions: Vec<usize> = list
            .files
            .iter()
            .enumerate()
            .filter(|(_, path)| path.starts_with(folder))
            .map(|(position, _)| position)
            .collect();
        if positions.is_empty() {
            return Err(match list.are_files {
                true => no_images(folder, part),
                false => Error::Option(OptionError::new(
                    "folder of a part",
                    "a folder that the names of some images begin with",
                    format!(
                        "{} for the {part} images, with which no name begins",
                        shown(folder)
                    ),
                )),
            });
        }
        Ok(positions)
    };
    Ok(Parts {
        train: inside(&train_folder, "training")?,
        valid: inside(&valid_folder, "validation")?,
    })
}

fn by_column(list: Items<'_>, column: &Column) -> Result<Vec<usize>> {
    let cells = list.column(column)?;
    let mut valid = Vec::new();
    for item in 0..list.files.len() {
        let text = cells.text(item)?;
        let is = |words: &[&str]| words.iter().any(|word| text.eq_ignore_ascii_case(word));
        if is(&["true", "1", "1.0", "valid", "validation"]) {
            valid.push(item);
        } else if !is(&["false", "0", "0.0", "train", "training"]) {
            return Err(cells.bad(
                item,
                "true, 1 or valid for a validation item, false, 0 or train for a training item",
            ));
        }
    }
    Ok(valid)
}

/// Checks that each position exists and occurs once: an item in both parts would be a leak.
fn check_positions(first: &[usize], second: &[usize], items: usize) -> Result<()> {
    let mut seen = vec![false; items];
    for &index in first.iter().chain(second) {
        match seen.get_mut(index) {
            None => return Err(Error::Data(DataError::NoSuchItem { index, len: items })),
            Some(true) => {
                return Err(Error::Option(OptionError::new(
                    "positions of a split",
                    "each item once, in one part",
                    format!("item {index} twice"),
                )));
            }
            Some(seen) => *seen = true,
        }
    }
    Ok(())
}

pub(crate) fn check_valid_pct(valid_pct: f64) -> Result<()> {
    // This form rejects NaN, too.
    if (0.0..1.0).contains(&valid_pct) {
        Ok(())
    } else {
        Err(Error::Option(OptionError::new(
            "valid_pct",
            "a fraction of the images: at least 0 and below 1 (0.2 is a fifth)",
            valid_pct.to_string(),
        )))
    }
}
