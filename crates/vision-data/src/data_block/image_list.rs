//! The first step of the data block: collecting the images.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use vision_base::OptionError;
use vision_base::message::shown;

use crate::data_block::file_column::FileColumn;
use crate::decisions::file::Decisions;
use crate::decisions::pending::Pending;
use crate::error::{Error, Result};
use crate::files::disjoint::{apart_from, check_folders_apart, part_folder};
use crate::files::error::FilesError;
use crate::files::index::{
    IndexConfig, Skipped, SkippedFolder, check_folder, index_outside, no_images, under,
};
use crate::image_source::ImageSource;
use crate::image_source::chosen::Chosen;
use crate::rng::{Purpose, Rng};
use crate::table::Table;
use crate::table::column::Column;
use crate::table::csv::CsvOptions;
use crate::table::items::Rows;

/// Image files, in order, not yet split or labeled; fastai's `ImageList`.
///
/// Each step from here to an [`ImageDataBunch`](crate::ImageDataBunch) is a type of its own, so that
/// steps in a wrong order do not compile; the module `data_block` lists all steps.
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
    pub(crate) path: PathBuf,
    pub(crate) items: Vec<PathBuf>,
    pub(crate) table: Option<Rows>,
    /// The source of images that are not files; the items are then the names in the source.
    pub(crate) source: Option<Chosen>,
    pub(crate) skipped: Skipped,
    pub(crate) decisions: Option<Pending>,
}

impl ImageList {
    /// All images in a folder and its subfolders, sorted by path; see
    /// [`image_files`](crate::files::image_files).
    ///
    /// # Errors
    ///
    /// [`FilesError::NoImages`](crate::FilesError::NoImages), and the errors of
    /// [`image_files`](crate::files::image_files).
    pub fn from_folder(path: impl Into<PathBuf>) -> Result<Self> {
        Self::from_folder_with(path, &IndexConfig::default())
    }

    /// Like [`from_folder`](Self::from_folder), with a progress reporter and a choice of what to do
    /// about unreadable folders.
    ///
    /// # Errors
    ///
    /// Those of [`from_folder`](Self::from_folder).
    pub fn from_folder_with(path: impl Into<PathBuf>, config: &IndexConfig) -> Result<Self> {
        Self::from_folder_outside(&path.into(), &[], config)
    }

    /// Like [`from_folder_with`](Self::from_folder_with), but skips the folders `outside`.
    pub(crate) fn from_folder_outside(
        path: &Path,
        outside: &[PathBuf],
        config: &IndexConfig,
    ) -> Result<Self> {
        let (files, skipped) = index_outside(path, outside, config)?;
        Ok(Self {
            skipped,
            ..Self::of_files(path.to_owned(), files)?
        })
    }

    /// The images of two folders under the root, all that [`split_by_folder`](Self::split_by_folder)
    /// needs; other folders are not read. A symlink in one of them leads neither into the other nor
    /// into the folder of the test images.
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
            source: None,
            skipped: Skipped::default(),
            decisions: None,
        };
        let train = part_folder(path, train, "training")?;
        let valid = part_folder(path, valid, "validation")?;
        check_folders_apart(&train, &valid)?;
        for (folder, part, other) in [(&train, "training", &valid), (&valid, "validation", &train)]
        {
            let others = [other.as_path()].into_iter().chain(test);
            let outside = apart_from(folder, others);
            let (files, skipped) = index_outside(folder, &outside, config)?;
            if files.is_empty() {
                return Err(no_images(folder, part));
            }
            list.items.extend(files);
            list.skipped.extend(skipped);
        }
        Ok(list)
    }

    /// The files named in a table.
    ///
    /// # Errors
    ///
    /// [`TableError::NoSuchColumn`](crate::TableError::NoSuchColumn),
    /// [`TableError::ColumnTwice`](crate::TableError::ColumnTwice);
    /// [`TableError::BadCell`](crate::TableError::BadCell) for a row without a name or with a name that
    /// spans several lines; [`TableError::Csv`](crate::TableError::Csv) if the column is given by
    /// position and its header is the name of an existing file;
    /// [`FilesError::MissingFiles`](crate::FilesError::MissingFiles) with the number of missing files
    /// and the first line that names one, unless [`FileColumn::with_check`] is off.
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
        // If the file has no header, reading one would lose the first item.
        let by_position = matches!(files.column, Column::Position(_));
        if table.has_header() && by_position && file(column.name()).is_file() {
            return Err(table.bad_header(format!(
                "the header names a file that is there, {}: if the file has no header, use \
                 `CsvOptions::new().with_header(false)`; if it has one, name the column",
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
            source: None,
            skipped: Skipped::default(),
            decisions: None,
        })
    }

    /// The files named in the CSV file `csv`, which is relative to the root.
    ///
    /// # Errors
    ///
    /// The errors of [`Table::read_csv`] and [`from_df`](Self::from_df).
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

    /// These files, in this order. A relative path is relative to the root, unless it already begins
    /// with the root, as the paths from [`image_files`](crate::files::image_files) do.
    ///
    /// # Errors
    ///
    /// [`FilesError::NoImages`](crate::FilesError::NoImages) if the list is empty;
    /// [`FilesError::MissingFiles`](crate::FilesError::MissingFiles).
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

    /// Like [`from_files`](Self::from_files), without checking that the files exist.
    ///
    /// # Errors
    ///
    /// [`FilesError::NoImages`](crate::FilesError::NoImages) if the list is empty.
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
            source: None,
            skipped: Skipped::default(),
            decisions: None,
        })
    }

    /// The images of a source that are not files, in the order of the source; see [`ImageSource`].
    ///
    /// `path` is the folder in which the data and a learner save their files. The items are the names
    /// that the source gives, treated as paths without a root.
    ///
    /// # Errors
    ///
    /// [`Error::Option`] if the source has no image, or two images have the same name.
    pub fn from_source(
        path: impl Into<PathBuf>,
        source: impl ImageSource + 'static,
    ) -> Result<Self> {
        let (source, items) = Chosen::all(Arc::new(source))?;
        Ok(Self {
            path: path.into(),
            items,
            table: None,
            source: Some(source),
            skipped: Skipped::default(),
            decisions: None,
        })
    }

    /// The prefix of the item names: the root folder, or nothing if the images are not files.
    pub(crate) fn names_root(&self) -> &Path {
        match self.source {
            Some(_) => Path::new(""),
            None => &self.path,
        }
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

    /// The unreadable folders that were skipped on request.
    pub fn skipped_folders(&self) -> &[SkippedFolder] {
        &self.skipped.folders
    }

    /// Whether the list is empty, which a filter can cause.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Applies decisions about the images: those that are excluded take part in the split, so that all others stay in their
    /// parts and positions keep their meaning, and are then left out; new labels replace those that are read. Call this
    /// before a filter, and once.
    ///
    /// That each decision is about an image is checked in [`build`](crate::ImageDataBunchBuilder::build), since it may
    /// be about a test image.
    ///
    /// # Errors
    ///
    /// [`Error::Option`] if the list has decisions already;
    /// [`DecisionError::Ambiguous`](crate::DecisionError::Ambiguous).
    #[doc(alias("ImageCleaner", "cleaned.csv"))]
    pub fn with_decisions(mut self, decisions: impl Into<Arc<Decisions>>) -> Result<Self> {
        if self.decisions.is_some() {
            let expected = "decisions once: put all of them into one `Decisions`";
            return Err(OptionError::new("decisions", expected, "decisions again").into());
        }
        let mut pending = Pending::new(decisions.into());
        pending.meet(self.names_root(), &self.items)?;
        self.decisions = Some(pending);
        Ok(self)
    }

    pub(crate) fn is_excluded(&self, position: usize) -> bool {
        let decisions = self.decisions.as_ref();
        decisions.is_some_and(|decisions| decisions.is_excluded(position))
    }

    /// The new label of an item, if it gets one.
    pub(crate) fn new_label(&self, position: usize) -> Option<&str> {
        let (_, label) = self.decisions.as_ref()?.relabel(position)?;
        Some(label)
    }

    /// Keeps only the files for which `keep` returns `true`.
    pub fn filter_by_func(self, keep: impl Fn(&Path) -> bool) -> Self {
        self.filter(|_, path| keep(path))
    }

    /// Keeps only the files whose first folder under the root is in `include` (if that is not empty)
    /// and not in `exclude`. Names must match completely.
    pub fn filter_by_folder(self, include: &[&str], exclude: &[&str]) -> Self {
        let root = self.names_root().to_owned();
        self.filter(|_, path| {
            let inner = path.strip_prefix(&root).unwrap_or(path);
            let first = inner.components().next();
            let is = |name: &&str| first.is_some_and(|first| first.as_os_str() == *name);
            (include.is_empty() || include.iter().any(is)) && !exclude.iter().any(is)
        })
    }

    /// Keeps each file with this probability. The same seed keeps the same files.
    ///
    /// # Errors
    ///
    /// [`Error::Option`] if `probability` is not a probability.
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

    pub(crate) fn filter(mut self, keep: impl Fn(usize, &Path) -> bool) -> Self {
        let kept: Vec<bool> = self
            .items
            .iter()
            .enumerate()
            .map(|(position, path)| keep(position, path))
            .collect();
        let mut flags = kept.iter();
        self.items.retain(|_| flags.next() == Some(&true));
        if let Some(source) = &mut self.source {
            source.retain(&kept);
        }
        if let Some(decisions) = &mut self.decisions {
            decisions.retain(&kept);
        }
        if let Some(table) = &mut self.table {
            let mut flags = kept.iter();
            table.rows.retain(|_| flags.next() == Some(&true));
        }
        self
    }

    /// The files at these positions.
    pub(crate) fn paths_at<'a>(&'a self, positions: &'a [usize]) -> impl Iterator<Item = &'a Path> {
        let paths = positions
            .iter()
            .filter_map(|&position| self.items.get(position));
        paths.map(PathBuf::as_path)
    }
}
