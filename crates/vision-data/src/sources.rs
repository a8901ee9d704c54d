//! What the factories of [`ImageDataBunch`](crate::ImageDataBunch) read: each is a short call of
//! the [data block](crate::data_block).

use std::collections::{BTreeSet, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::builder::ImageDataBunchBuilder;
use crate::csv_file::CsvOptions;
use crate::data_block::{LabelLists, LabelledFiles, check_enough, none_left};
use crate::error::{Error, Result};
use crate::item_list::{FileColumn, ImageList, part_folder};
use crate::items::{IndexConfig, check_folder};
use crate::labels::{Label, LabelOptions, UnknownLabels, check_classes};
use crate::names::{Pattern, folder_name};
use crate::split::{PathFn, Split, check_valid_pct};
use crate::table::{Column, Table};
use crate::targets::{TargetKind, Targets};

/// The share of validation where fastai has it as default.
const VALID_PCT: f64 = 0.2;

/// Where a builder has its labelled files from.
pub trait Source: Sized {
    /// Checks the options before anything is read.
    #[doc(hidden)]
    fn check(&self) -> Result<()> {
        Ok(())
    }

    /// Reads what there is, folders as `indexing` says; random splits go by `seed`.
    #[doc(hidden)]
    fn read(self, test: &TestFolder, seed: u64, indexing: &IndexConfig) -> Result<LabelLists>;

    /// The test folder that is used if nobody names one.
    #[doc(hidden)]
    fn optional_test(&self) -> Option<PathBuf> {
        None
    }

    /// The root folder.
    #[doc(hidden)]
    fn root(&self) -> &Path;
}

/// A source whose files are yet to be split and labelled.
pub trait Unlabelled: Source {
    /// Its options.
    #[doc(hidden)]
    fn reading(&mut self) -> &mut Reading;
}

/// A source that is a table.
pub trait OfTable: Unlabelled {
    /// Its columns.
    #[doc(hidden)]
    fn table_columns(&mut self) -> &mut TableColumns;
}

/// Where to look for the test images.
#[derive(Clone, Debug)]
pub enum TestFolder {
    /// Where the source says: in `test`, if there is such a folder, when a folder is read.
    Default,
    /// There, and nowhere else.
    Named(String),
    /// Nowhere: a folder called `test` is one like the others.
    None,
}

/// How files are split and labelled.
#[derive(Clone, Debug)]
pub struct Reading {
    root: PathBuf,
    valid_pct: Option<f64>,
    split: Option<Split>,
    options: LabelOptions,
}

impl Reading {
    fn new(root: PathBuf, valid_pct: Option<f64>) -> Self {
        Self {
            root,
            valid_pct,
            split: None,
            options: LabelOptions::default(),
        }
    }

    fn check(&self) -> Result<()> {
        self.valid_pct.map_or(Ok(()), check_valid_pct)?;
        self.split.as_ref().map_or(Ok(()), Split::check)?;
        self.options.check()
    }

    /// The split that was asked for, if any was.
    fn split(&self, seed: u64) -> Option<Split> {
        let random = |valid_pct| Split::Random { valid_pct, seed };
        self.split.clone().or(self.valid_pct.map(random))
    }
}

/// A folder that is laid out like ImageNet.
#[derive(Clone, Debug)]
pub struct FromFolder {
    reading: Reading,
    train: String,
    valid: String,
}

/// A CSV file.
#[derive(Clone, Debug)]
pub struct FromCsv {
    reading: Reading,
    columns: TableColumns,
    file: PathBuf,
    options: CsvOptions,
}

/// A table in memory.
#[derive(Clone, Debug)]
pub struct FromDf {
    reading: Reading,
    columns: TableColumns,
    table: Arc<Table>,
}

/// A list of files.
#[derive(Clone, Debug)]
pub struct FromFiles {
    reading: Reading,
    files: Vec<PathBuf>,
    check: bool,
    labels: Labels,
}

/// Classes without files, for a learner that is only to predict.
#[derive(Clone, Debug)]
pub struct FromClasses {
    root: PathBuf,
    classes: Vec<String>,
    kind: TargetKind,
}

/// Data that was saved.
#[derive(Clone, Debug)]
pub struct FromSaved {
    lists: LabelLists,
    /// The file it was saved as.
    file: PathBuf,
    check: bool,
}

/// The columns of the files and of the labels.
#[derive(Clone, Debug)]
pub struct TableColumns {
    files: FileColumn,
    labels: Vec<Column>,
}

impl Default for TableColumns {
    fn default() -> Self {
        Self {
            files: FileColumn::default(),
            labels: vec![Column::Position(1)],
        }
    }
}

/// Where the labels of a list of files come from.
#[derive(Clone, Debug)]
enum Labels {
    List(Vec<Label>),
    Func(PathFn<Label>),
    Pattern(String),
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

impl FromCsv {
    pub(crate) fn new(root: PathBuf) -> Self {
        Self {
            reading: Reading::new(root, Some(VALID_PCT)),
            columns: TableColumns::default(),
            file: PathBuf::from("labels.csv"),
            options: CsvOptions::default(),
        }
    }
}

impl FromDf {
    pub(crate) fn new(root: PathBuf, table: Arc<Table>) -> Self {
        Self {
            reading: Reading::new(root, Some(VALID_PCT)),
            columns: TableColumns::default(),
            table,
        }
    }
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

impl FromClasses {
    pub(crate) fn new(root: PathBuf, classes: Vec<String>) -> Self {
        Self {
            root,
            classes,
            kind: TargetKind::Category,
        }
    }
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

impl Source for FromCsv {
    fn check(&self) -> Result<()> {
        self.reading.check()
    }

    fn read(self, _: &TestFolder, seed: u64, _: &IndexConfig) -> Result<LabelLists> {
        let root = self.reading.root.clone();
        ImageList::from_csv(root, &self.file, &self.options, &self.columns.files)
            .and_then(|list| label_from_table(list, self.reading, self.columns.labels, seed))
    }

    fn root(&self) -> &Path {
        &self.reading.root
    }
}

impl Source for FromDf {
    fn check(&self) -> Result<()> {
        self.reading.check()
    }

    fn read(self, _: &TestFolder, seed: u64, _: &IndexConfig) -> Result<LabelLists> {
        let root = self.reading.root.clone();
        ImageList::from_df(root, self.table, &self.columns.files)
            .and_then(|list| label_from_table(list, self.reading, self.columns.labels, seed))
    }

    fn root(&self) -> &Path {
        &self.reading.root
    }
}

fn label_from_table(
    list: ImageList,
    reading: Reading,
    labels: Vec<Column>,
    seed: u64,
) -> Result<LabelLists> {
    let split = reading.split(seed).unwrap_or(Split::None);
    list.split(&split)?
        .label_with(reading.options)
        .label_from_df(labels)
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
        let list = match self.check {
            true => ImageList::from_files(self.reading.root, self.files)?,
            false => ImageList::from_files_unchecked(self.reading.root, self.files)?,
        };
        let list = list.split(&split)?.label_with(self.reading.options);
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

impl Source for FromClasses {
    fn check(&self) -> Result<()> {
        check_classes(&self.classes)?;
        if self.kind == TargetKind::Float {
            return Err(Error::BadOption {
                option: "kind",
                expected: "one class an item, or several",
                found: self.kind.describe().to_owned(),
            });
        }
        check_enough(self.kind, &self.classes, &self.root)
    }

    fn read(self, _: &TestFolder, _: u64, _: &IndexConfig) -> Result<LabelLists> {
        let nothing = || LabelledFiles {
            files: Vec::new(),
            targets: Targets::Empty(0),
        };
        Ok(LabelLists {
            path: self.root,
            kind: self.kind,
            c: self.classes.len(),
            classes: self.classes,
            train: nothing(),
            valid: nothing(),
            test: None,
            dropped: Vec::new(),
            skipped: Vec::new(),
        })
    }

    fn root(&self) -> &Path {
        &self.root
    }
}

impl Source for LabelLists {
    fn read(self, _: &TestFolder, _: u64, _: &IndexConfig) -> Result<LabelLists> {
        Ok(self)
    }

    fn root(&self) -> &Path {
        &self.path
    }
}

impl Source for FromSaved {
    fn read(self, _: &TestFolder, _: u64, _: &IndexConfig) -> Result<LabelLists> {
        let Self { lists, file, check } = self;
        let parts = [Some(&lists.train), Some(&lists.valid), lists.test.as_ref()];
        let files = parts.into_iter().flatten().flat_map(|part| &part.files);
        let mut missing = files.filter(|file| check && !file.is_file());
        let error = missing.next().map(|first| Error::MissingFiles {
            count: 1 + missing.count(),
            first: first.clone(),
            named_by: file.display().to_string(),
        });
        error.map_or(Ok(lists), Err)
    }

    fn root(&self) -> &Path {
        &self.lists.path
    }
}

macro_rules! unlabelled {
    ($($source:ty),*) => { $(
        impl Unlabelled for $source {
            fn reading(&mut self) -> &mut Reading {
                &mut self.reading
            }
        }
    )* };
}

unlabelled!(FromFolder, FromCsv, FromDf, FromFiles);

macro_rules! of_table {
    ($($source:ty),*) => { $(
        impl OfTable for $source {
            fn table_columns(&mut self) -> &mut TableColumns {
                &mut self.columns
            }
        }
    )* };
}

of_table!(FromCsv, FromDf);

impl<S: Unlabelled> ImageDataBunchBuilder<S> {
    /// Splits at random: this fraction of the images (rounded down) is for validation, 0 for none.
    ///
    /// From a folder these are all images of the root but those of the test folder.
    pub fn valid_pct(mut self, fraction: f64) -> Self {
        self.source.reading().valid_pct = Some(fraction);
        self
    }

    /// Splits in another way than by a random fraction, such as [`Split::Stratified`].
    pub fn split(mut self, split: Split) -> Self {
        self.source.reading().split = Some(split);
        self
    }

    /// The classes and their order.
    ///
    /// From a folder this is a choice: images of other classes are left out. Elsewhere another
    /// label is an error, unless [`drop_unknown`](Self::drop_unknown) is asked for.
    pub fn classes<C: Into<String>>(mut self, classes: impl IntoIterator<Item = C>) -> Self {
        let options = &mut self.source.reading().options;
        *options = options.clone().with_classes(classes);
        self
    }

    /// Leaves items out whose label is not among the classes, and keeps a record:
    /// [`ImageDataBunch::dropped`](crate::ImageDataBunch::dropped).
    pub fn drop_unknown(mut self) -> Self {
        self.source.reading().options.unknown = UnknownLabels::Drop;
        self
    }

    /// How the labels are read, in place of all that was said about it before.
    pub fn label_with(mut self, options: LabelOptions) -> Self {
        self.source.reading().options = options;
        self
    }

    /// Each label is a list of classes with this between them.
    pub fn label_delim(mut self, delimiter: impl Into<String>) -> Self {
        let options = &mut self.source.reading().options;
        *options = options.clone().with_delimiter(delimiter);
        self
    }
}

impl<S: OfTable> ImageDataBunchBuilder<S> {
    /// The column with the names of the files: the first, unless another is named.
    pub fn fn_col(mut self, column: impl Into<Column>) -> Self {
        self.source.table_columns().files.column = column.into();
        self
    }

    /// The column with the labels: the second, unless another is named.
    pub fn label_col(mut self, column: impl Into<Column>) -> Self {
        self.source.table_columns().labels = vec![column.into()];
        self
    }

    /// Several columns of labels; see [`SplitList::label_from_df`](crate::SplitList::label_from_df).
    pub fn label_cols<C: Into<Column>>(mut self, columns: impl IntoIterator<Item = C>) -> Self {
        self.source.table_columns().labels = columns.into_iter().map(Into::into).collect();
        self
    }

    /// The folder of the files, under the root.
    pub fn folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.source.table_columns().files.folder = Some(folder.into());
        self
    }

    /// What is added to each name of a file, such as `.jpg`.
    pub fn suffix(mut self, suffix: impl Into<String>) -> Self {
        self.source.table_columns().files.suffix = suffix.into();
        self
    }

    /// Does not look whether the files are there.
    pub fn no_check(mut self) -> Self {
        self.source.table_columns().files.check = false;
        self
    }
}

impl ImageDataBunchBuilder<FromCsv> {
    /// The CSV file, under the root: `labels.csv`, unless another is named.
    pub fn csv_labels(mut self, file: impl Into<PathBuf>) -> Self {
        self.source.file = file.into();
        self
    }

    /// What is between two cells: a comma, unless another is named.
    pub fn delimiter(mut self, delimiter: u8) -> Self {
        self.source.options = self.source.options.with_delimiter(delimiter);
        self
    }

    /// Whether the first line has the names of the columns; it has, unless this says otherwise.
    pub fn header(mut self, header: bool) -> Self {
        self.source.options = self.source.options.with_header(header);
        self
    }

    /// How the file is written, in place of all that was said about it before.
    pub fn csv_options(mut self, options: CsvOptions) -> Self {
        self.source.options = options;
        self
    }
}

impl ImageDataBunchBuilder<FromFiles> {
    /// Does not look whether the files are there.
    pub fn no_check(mut self) -> Self {
        self.source.check = false;
        self
    }
}

impl ImageDataBunchBuilder<FromSaved> {
    /// Does not look whether the files are there.
    pub fn no_check(mut self) -> Self {
        self.source.check = false;
        self
    }
}

impl ImageDataBunchBuilder<FromClasses> {
    /// Whether an item has one class, which is the default, or several.
    pub fn kind(mut self, kind: TargetKind) -> Self {
        self.source.kind = kind;
        self
    }
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
