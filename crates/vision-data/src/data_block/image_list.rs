//! The first step of the data block: which files there are.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use vision_base::OptionError;
use vision_base::message::shown;

use crate::data_block::SplitList;
use crate::error::{Error, Result};
use crate::files::disjoint::{apart_from, check_apart, check_folders_apart, part_folder};
use crate::files::error::FilesError;
use crate::files::index::{
    IndexConfig, PassedOver, SkippedFolder, check_folder, describe_folder, index_outside,
};
use crate::rng::{Purpose, Rng};
use crate::split::{PathFn, Split};
use crate::table::csv::CsvOptions;
use crate::table::error::TableError;
use crate::table::{Column, ColumnOf, Table};

/// Image files, in order, not yet split or labelled; what fastai calls an `ImageList`.
///
/// The steps from here to an [`ImageDataBunch`](crate::ImageDataBunch) are types, so that a wrong
/// order does not compile; [`data_block`](crate::data_block) has the whole of it.
///
/// ```
/// use vision_data::{ImageList, get_transforms};
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = vision_data::datasets::synthetic::digits(&folder.path().join("digits"), 1, 20, 5)?;
/// let data = ImageList::from_folder(&path)?
///     .split_by_folder("train", "valid")?
///     .label_from_folder()?
///     .transform(get_transforms())
///     .batch_size(10)
///     .build()?;
/// assert_eq!(data.classes(), ["3", "7"]);
/// # Ok::<(), vision_data::Error>(())
/// ```
#[doc(alias = "ImageItemList")]
#[derive(Clone, Debug)]
pub struct ImageList {
    path: PathBuf,
    items: Vec<PathBuf>,
    table: Option<Rows>,
    passed: PassedOver,
}

/// The table that items come from, and of each item its row.
#[derive(Clone, Debug)]
pub(crate) struct Rows {
    table: Arc<Table>,
    rows: Vec<u32>,
}

/// Where in a table the names of the files are, and what belongs around them.
///
/// ```
/// use vision_data::FileColumn;
/// // "1" in the column `image_name` is the file train-jpg/1.jpg under the root.
/// let files = FileColumn::new("image_name").in_folder("train-jpg").with_suffix(".jpg");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileColumn {
    pub(crate) column: Column,
    pub(crate) folder: Option<PathBuf>,
    pub(crate) suffix: String,
    pub(crate) check: bool,
}

impl Default for FileColumn {
    /// The first column, with names under the root.
    fn default() -> Self {
        Self {
            column: Column::Position(0),
            folder: None,
            suffix: String::new(),
            check: true,
        }
    }
}

impl FileColumn {
    /// The names are in this column.
    pub fn new(column: impl Into<Column>) -> Self {
        Self {
            column: column.into(),
            ..Self::default()
        }
    }

    /// The files are in this folder under the root.
    pub fn in_folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.folder = Some(folder.into());
        self
    }

    /// What is added to each name, such as `.jpg`.
    pub fn with_suffix(mut self, suffix: impl Into<String>) -> Self {
        self.suffix = suffix.into();
        self
    }

    /// Whether each file is looked for at once (it is, unless this is called with `false`).
    pub fn with_check(mut self, check: bool) -> Self {
        self.check = check;
        self
    }
}

impl ImageList {
    /// All images in a folder and the folders in it, sorted by path; see
    /// [`image_files`](crate::files::index::image_files).
    ///
    /// # Errors
    ///
    /// [`FilesError::NoImages`](crate::FilesError::NoImages), and those of [`image_files`](crate::files::index::image_files).
    pub fn from_folder(path: impl Into<PathBuf>) -> Result<Self> {
        Self::from_folder_with(path, &IndexConfig::default())
    }

    /// As [`from_folder`](Self::from_folder), with progress and a choice of what to do about
    /// unreadable folders.
    ///
    /// # Errors
    ///
    /// As [`from_folder`](Self::from_folder).
    pub fn from_folder_with(path: impl Into<PathBuf>, config: &IndexConfig) -> Result<Self> {
        Self::from_folder_outside(&path.into(), &[], config)
    }

    /// As [`from_folder_with`](Self::from_folder_with), without what is in the folders `outside`.
    pub(crate) fn from_folder_outside(
        path: &Path,
        outside: &[PathBuf],
        config: &IndexConfig,
    ) -> Result<Self> {
        let (files, passed) = index_outside(path, outside, config)?.apart();
        Ok(Self {
            passed,
            ..Self::of_files(path.to_owned(), files)?
        })
    }

    /// The images of two folders under the root, which are all that
    /// [`split_by_folder`](Self::split_by_folder) needs: nothing else is looked at. A link in one of
    /// them does not lead into the other, nor into the folder of the test images.
    pub(crate) fn from_parts(
        path: &Path,
        train: &str,
        valid: &str,
        test: Option<&Path>,
        config: &IndexConfig,
    ) -> Result<Self> {
        check_folder(path)?;
        let mut list = Self {
            path: path.to_owned(),
            items: Vec::new(),
            table: None,
            passed: PassedOver::default(),
        };
        let train = part_folder(path, train, "training")?;
        let valid = part_folder(path, valid, "validation")?;
        check_folders_apart(&train, &valid)?;
        for (folder, part, other) in [(&train, "training", &valid), (&valid, "validation", &train)]
        {
            let others = [other.as_path()].into_iter().chain(test);
            let outside = apart_from(folder, others);
            let (files, passed) = index_outside(folder, &outside, config)?.apart();
            if files.is_empty() {
                return Err(no_images(folder, part));
            }
            list.items.extend(files);
            list.passed.extend(passed);
        }
        Ok(list)
    }

    /// The files named in a table.
    ///
    /// # Errors
    ///
    /// [`TableError::NoSuchColumn`](crate::TableError::NoSuchColumn), [`TableError::ColumnTwice`](crate::TableError::ColumnTwice); [`TableError::BadCell`](crate::TableError::BadCell) for a row without a name, or
    /// with one on several lines; [`TableError::Csv`](crate::TableError::Csv) where the header of a file is the name of a file
    /// that is there, if the column is given by its position; [`FilesError::MissingFiles`](crate::FilesError::MissingFiles) with their number
    /// and the first line, unless [`FileColumn::with_check`] is off.
    ///
    /// ```
    /// use vision_data::{FileColumn, ImageList, Table};
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path();
    /// # std::fs::write(path.join("1.png"), "")?;
    /// let table = Table::from_rows(["name", "label"], [["1", "cat"]])?;
    /// let list = ImageList::from_df(path, table, &FileColumn::default().with_suffix(".png"))?;
    /// assert_eq!(list.items(), [path.join("1.png")]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn from_df(
        path: impl Into<PathBuf>,
        table: impl Into<Arc<Table>>,
        files: &FileColumn,
    ) -> Result<Self> {
        let (path, table) = (path.into(), table.into());
        check_folder(&path)?;
        let folder = match &files.folder {
            Some(folder) => path.join(folder),
            None => path.clone(),
        };
        let column = table.column(&files.column)?;
        let file = |name| folder.join(format!("{name}{}", files.suffix));
        // Of a list without a header the first item would be lost.
        let by_position = matches!(files.column, Column::Position(_));
        if table.has_header() && by_position && file(column.name()).is_file() {
            return Err(table.bad_header(format!(
                "the header names a file that is there, {}: if there is no header, say so with \
                 `.header(false)`; if it is one, give the column by its name",
                shown(file(column.name()))
            )));
        }
        let mut items = Vec::with_capacity(table.len());
        let mut missing = None;
        let mut count = 0;
        for row in 0..table.len() {
            let file = file(column.text(row)?);
            if files.check && !file.is_file() {
                count += 1;
                missing.get_or_insert_with(|| (row, file.clone()));
            }
            items.push(file);
        }
        if let Some((row, first)) = missing {
            return Err(Error::Files(FilesError::MissingFiles {
                count,
                first,
                named_by: column.place(row) + &table.delimiter_hint(),
            }));
        }
        let rows = (0..table.len() as u32).collect();
        Ok(Self {
            path,
            items,
            table: Some(Rows { table, rows }),
            passed: PassedOver::default(),
        })
    }

    /// The files named in a CSV file, which is `csv` under the root.
    ///
    /// # Errors
    ///
    /// Those of [`Table::read_csv`] and [`from_df`](Self::from_df).
    pub fn from_csv(
        path: impl Into<PathBuf>,
        csv: impl AsRef<Path>,
        options: &CsvOptions,
        files: &FileColumn,
    ) -> Result<Self> {
        let path = path.into();
        check_folder(&path)?;
        let table = Table::read_csv(path.join(csv), options)?;
        Self::from_df(path, table, files)
    }

    /// These files, in this order. A relative path is one under the root, unless it begins with
    /// the root itself, as those of [`image_files`](crate::files::index::image_files) do.
    ///
    /// # Errors
    ///
    /// [`FilesError::NoImages`](crate::FilesError::NoImages) if there is none; [`FilesError::MissingFiles`](crate::FilesError::MissingFiles).
    pub fn from_files<P: Into<PathBuf>>(
        path: impl Into<PathBuf>,
        files: impl IntoIterator<Item = P>,
    ) -> Result<Self> {
        let list = Self::from_files_unchecked(path, files)?;
        let items = list.items.iter().enumerate();
        let mut missing = items.filter(|(_, file)| !file.is_file());
        if let Some((position, first)) = missing.next() {
            return Err(Error::Files(FilesError::MissingFiles {
                count: 1 + missing.count(),
                first: first.clone(),
                named_by: format!("item {position} of the list"),
            }));
        }
        Ok(list)
    }

    /// As [`from_files`](Self::from_files), without looking whether the files are there.
    ///
    /// # Errors
    ///
    /// [`FilesError::NoImages`](crate::FilesError::NoImages) if there is none.
    pub fn from_files_unchecked<P: Into<PathBuf>>(
        path: impl Into<PathBuf>,
        files: impl IntoIterator<Item = P>,
    ) -> Result<Self> {
        let path = path.into();
        let items = files.into_iter().map(|file| under(&path, file.into()));
        let items = items.collect();
        Self::of_files(path, items)
    }

    fn of_files(path: PathBuf, items: Vec<PathBuf>) -> Result<Self> {
        if items.is_empty() {
            return Err(no_images(&path, "training or validation"));
        }
        Ok(Self {
            path,
            items,
            table: None,
            passed: PassedOver::default(),
        })
    }

    /// The root folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The files, in order.
    pub fn items(&self) -> &[PathBuf] {
        &self.items
    }

    /// The number of files.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// The folders that could not be read and were passed over on request.
    pub fn skipped_folders(&self) -> &[SkippedFolder] {
        &self.passed.folders
    }

    /// Whether a filter has left nothing.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Only the files of which this is true.
    pub fn filter_by_func(self, keep: impl Fn(&Path) -> bool) -> Self {
        self.filter(|_, path| keep(path))
    }

    /// Only the files whose first folder under the root is in `include`, if anything is, and not
    /// in `exclude`. Names are compared as a whole.
    pub fn filter_by_folder(self, include: &[&str], exclude: &[&str]) -> Self {
        let root = self.path.clone();
        self.filter(|_, path| {
            let inner = path.strip_prefix(&root).unwrap_or(path);
            let first = inner.components().next();
            let is = |name: &&str| first.is_some_and(|first| first.as_os_str() == *name);
            (include.is_empty() || include.iter().any(is)) && !exclude.iter().any(is)
        })
    }

    /// Each file with this probability: the same ones for the same seed.
    ///
    /// # Errors
    ///
    /// [`Error::Option`] for a number that is no probability.
    pub fn filter_by_rand(self, probability: f64, seed: u64) -> Result<Self> {
        if !(0.0..=1.0).contains(&probability) {
            return Err(Error::Option(OptionError::new(
                "probability",
                "a number in [0, 1]",
                probability.to_string(),
            )));
        }
        let mut rng = Rng::keyed(Purpose::Split, seed, 1, 0);
        let drawn: Vec<bool> = self
            .items
            .iter()
            .map(|_| rng.uniform() < probability)
            .collect();
        Ok(self.filter(|position, _| drawn.get(position) == Some(&true)))
    }

    fn filter(mut self, keep: impl Fn(usize, &Path) -> bool) -> Self {
        let kept: Vec<bool> = self
            .items
            .iter()
            .enumerate()
            .map(|(position, path)| keep(position, path))
            .collect();
        let mut flags = kept.iter();
        self.items.retain(|_| flags.next() == Some(&true));
        if let Some(table) = &mut self.table {
            let mut flags = kept.iter();
            table.rows.retain(|_| flags.next() == Some(&true));
        }
        self
    }

    /// Splits the files in training and validation.
    ///
    /// # Errors
    ///
    /// [`Error::Option`] for an option outside its range, [`SplitError::Empty`](crate::SplitError::Empty) if a part is
    /// empty that should not be, and what the kind of split can meet: [`FilesError::MissingFolder`](crate::FilesError::MissingFolder),
    /// [`FilesError::NoImages`](crate::FilesError::NoImages), [`DataError::NoSuchItem`](crate::DataError::NoSuchItem), [`SplitError::UnknownFiles`](crate::SplitError::UnknownFiles), [`TableError::NoTable`](crate::TableError::NoTable),
    /// [`TableError::NoSuchColumn`](crate::TableError::NoSuchColumn), [`TableError::BadCell`](crate::TableError::BadCell), [`LabelError::BadPattern`](crate::LabelError::BadPattern),
    /// [`LabelError::PatternNotFound`](crate::LabelError::PatternNotFound), [`LabelError::NotUtf8`](crate::LabelError::NotUtf8), [`Error::Io`]; [`SplitError::OnBothSides`](crate::SplitError::OnBothSides) if
    /// one file would be for training and for validation.
    pub fn split(self, split: &Split) -> Result<SplitList> {
        let parts = split.parts(&self)?;
        check_apart(
            ("training", self.paths_at(&parts.train)),
            ("validation", self.paths_at(&parts.valid)),
        )?;
        let folders = match split {
            Split::Folders { train, valid } => vec![self.path.join(train), self.path.join(valid)],
            _ => Vec::new(),
        };
        Ok(SplitList::new(self, parts, folders))
    }

    /// [`Split::Folders`], such as `train` and `valid`.
    ///
    /// # Errors
    ///
    /// As [`split`](Self::split).
    pub fn split_by_folder(self, train: &str, valid: &str) -> Result<SplitList> {
        self.split(&Split::Folders {
            train: train.to_owned(),
            valid: valid.to_owned(),
        })
    }

    /// [`Split::Random`].
    ///
    /// # Errors
    ///
    /// As [`split`](Self::split).
    #[doc(alias = "random_split_by_pct")]
    pub fn split_by_rand_pct(self, valid_pct: f64, seed: u64) -> Result<SplitList> {
        self.split(&Split::Random { valid_pct, seed })
    }

    /// [`Split::Subsets`].
    ///
    /// # Errors
    ///
    /// As [`split`](Self::split).
    pub fn split_subsets(self, train: f64, valid: f64, seed: u64) -> Result<SplitList> {
        self.split(&Split::Subsets { train, valid, seed })
    }

    /// [`Split::None`].
    ///
    /// # Errors
    ///
    /// [`SplitError::Empty`](crate::SplitError::Empty) if there is no file.
    #[doc(alias = "no_split")]
    pub fn split_none(self) -> Result<SplitList> {
        self.split(&Split::None)
    }

    /// [`Split::ValidIndices`].
    ///
    /// # Errors
    ///
    /// As [`split`](Self::split).
    pub fn split_by_idx(self, valid: impl Into<Vec<usize>>) -> Result<SplitList> {
        self.split(&Split::ValidIndices(valid.into()))
    }

    /// [`Split::Indices`].
    ///
    /// # Errors
    ///
    /// As [`split`](Self::split).
    pub fn split_by_idxs(
        self,
        train: impl Into<Vec<usize>>,
        valid: impl Into<Vec<usize>>,
    ) -> Result<SplitList> {
        self.split(&Split::Indices {
            train: train.into(),
            valid: valid.into(),
        })
    }

    /// [`Split::Func`].
    ///
    /// # Errors
    ///
    /// As [`split`](Self::split).
    pub fn split_by_valid_func(
        self,
        is_valid: impl Fn(&Path) -> bool + Send + Sync + 'static,
    ) -> Result<SplitList> {
        self.split(&Split::Func(PathFn::new(is_valid)))
    }

    /// [`Split::Files`].
    ///
    /// # Errors
    ///
    /// As [`split`](Self::split).
    pub fn split_by_files<S: Into<String>>(
        self,
        valid: impl IntoIterator<Item = S>,
    ) -> Result<SplitList> {
        self.split(&Split::Files(valid.into_iter().map(Into::into).collect()))
    }

    /// [`Split::FilesIn`].
    ///
    /// # Errors
    ///
    /// As [`split`](Self::split).
    pub fn split_by_fname_file(self, file: impl AsRef<Path>) -> Result<SplitList> {
        self.split(&Split::FilesIn(file.as_ref().to_owned()))
    }

    /// [`Split::Column`].
    ///
    /// # Errors
    ///
    /// As [`split`](Self::split).
    pub fn split_from_df(self, column: impl Into<Column>) -> Result<SplitList> {
        self.split(&Split::Column(column.into()))
    }

    /// The files at these positions.
    pub(crate) fn paths_at<'a>(&'a self, positions: &'a [usize]) -> impl Iterator<Item = &'a Path> {
        let paths = positions
            .iter()
            .filter_map(|&position| self.items.get(position));
        paths.map(PathBuf::as_path)
    }

    /// A column of the table, by item.
    pub(crate) fn column(&self, column: &Column) -> Result<ItemColumn<'_>> {
        ItemColumn::of(self.table.as_ref(), column)
    }

    pub(crate) fn take_rows(&mut self) -> Option<Rows> {
        self.table.take()
    }

    /// Takes the list apart.
    pub(crate) fn into_parts(self) -> (PathBuf, Vec<PathBuf>, PassedOver) {
        (self.path, self.items, self.passed)
    }
}

/// A column of the table that items come from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ItemColumn<'a> {
    column: ColumnOf<'a>,
    rows: &'a [u32],
}

impl<'a> ItemColumn<'a> {
    pub(crate) fn of(rows: Option<&'a Rows>, column: &Column) -> Result<Self> {
        let Some(Rows { table, rows }) = rows else {
            return Err(Error::Table(TableError::NoTable {
                column: column.clone(),
            }));
        };
        Ok(Self {
            column: table.column(column)?,
            rows,
        })
    }

    pub(crate) fn name(&self) -> &'a str {
        self.column.name()
    }

    fn row(&self, item: usize) -> usize {
        self.rows.get(item).map_or(usize::MAX, |&row| row as usize)
    }

    pub(crate) fn raw(&self, item: usize) -> &'a str {
        self.column.raw(self.row(item))
    }

    pub(crate) fn value(&self, item: usize) -> Result<&'a str> {
        self.column.value(self.row(item))
    }

    pub(crate) fn text(&self, item: usize) -> Result<&'a str> {
        self.column.text(self.row(item))
    }

    pub(crate) fn bad(&self, item: usize, expected: &'static str) -> Error {
        self.column.bad(self.row(item), expected)
    }
}

/// A relative path is one under the root, unless it begins with the root itself.
pub(crate) fn under(root: &Path, file: PathBuf) -> PathBuf {
    match file.starts_with(root) {
        true => file,
        false => root.join(file),
    }
}

pub(crate) fn no_images(folder: &Path, part: &'static str) -> Error {
    Error::Files(FilesError::NoImages {
        folder: folder.to_owned(),
        part,
        found: describe_folder(folder),
    })
}
