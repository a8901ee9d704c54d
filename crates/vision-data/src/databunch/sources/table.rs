//! A table of names and labels, in a CSV file or in memory.

use std::ffi::OsStr;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use vision_base::message::{joined, shown};

use crate::data_block::file_column::FileColumn;
use crate::data_block::image_list::ImageList;
use crate::data_block::label_lists::LabelLists;
use crate::databunch::builder::ImageDataBunchBuilder;
use crate::databunch::sources::source::{Reading, Source, TestFolder, Unlabeled, VALID_PCT};
use crate::error::{Error, Result};
use crate::files::index::{IndexConfig, check_folder, describe_folder};
use crate::split::Split;
use crate::table::Table;
use crate::table::column::Column;
use crate::table::csv::CsvOptions;
use crate::table::error::TableError;

/// A source that is a table.
pub trait OfTable: Unlabeled {
    /// The columns to use.
    #[doc(hidden)]
    fn table_columns(&mut self) -> &mut TableColumns;
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

impl Source for FromCsv {
    fn check(&self) -> Result<()> {
        self.reading.check()
    }

    fn read(self, _: &TestFolder, seed: u64, _: &IndexConfig) -> Result<LabelLists> {
        let root = &self.reading.root;
        check_folder(root)?;
        let file = root.join(&self.file);
        if fs::metadata(&file).is_err_and(|error| error.kind() == ErrorKind::NotFound) {
            return Err(Error::Table(TableError::Missing {
                found: tables_in(root),
                folder: root.clone(),
                file,
            }));
        }
        let table = Table::read_csv(file, &self.options)?;
        label_from_table(table.into(), self.columns, self.reading, seed)
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
        label_from_table(self.table, self.columns, self.reading, seed)
    }

    fn root(&self) -> &Path {
        &self.reading.root
    }
}

impl Unlabeled for FromCsv {
    fn reading(&mut self) -> &mut Reading {
        &mut self.reading
    }
}

impl Unlabeled for FromDf {
    fn reading(&mut self) -> &mut Reading {
        &mut self.reading
    }
}

/// The files in a folder that look like tables; if there are none, its content.
fn tables_in(folder: &Path) -> String {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let names = entries.map(|entry| PathBuf::from(entry.file_name()));
    let is_table = |name: &PathBuf| {
        let extension = name.extension().map(OsStr::to_ascii_lowercase);
        extension.is_some_and(|extension| ["csv", "tsv"].iter().any(|e| extension == *e))
    };
    let mut tables: Vec<PathBuf> = names.filter(is_table).collect();
    tables.sort_unstable();
    match tables.is_empty() {
        true => format!("{} instead of a CSV file", describe_folder(folder)),
        false => joined(tables.iter().map(shown)),
    }
}

fn label_from_table(
    table: Arc<Table>,
    TableColumns { files, labels }: TableColumns,
    reading: Reading,
    seed: u64,
) -> Result<LabelLists> {
    // Check before looking for files: a wrong delimiter would make every file missing. Check before
    // splitting items, too: an unclosed quote swallows rows.
    for column in &labels {
        let column = table.column(column)?;
        if !reading.options.has_lines() {
            column.check_lines()?;
        }
    }
    let split = reading.split(seed).unwrap_or(Split::None);
    let list = ImageList::from_df(reading.root.clone(), table, &files)?;
    (reading.decide(list)?.split(split)?)
        .label_with(reading.options)
        .label_from_df(labels)
}

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

impl<S: OfTable> ImageDataBunchBuilder<S> {
    /// The column with the file names. Default: the first.
    pub fn fn_col(mut self, column: impl Into<Column>) -> Self {
        self.source.table_columns().files.column = column.into();
        self
    }

    /// The column with the labels. Default: the second.
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

    /// Appends this to each file name, such as `.jpg`.
    pub fn suffix(mut self, suffix: impl Into<String>) -> Self {
        self.source.table_columns().files.suffix = suffix.into();
        self
    }

    /// Does not check that the files exist.
    pub fn no_check(mut self) -> Self {
        self.source.table_columns().files.check = false;
        self
    }
}

impl ImageDataBunchBuilder<FromCsv> {
    /// The CSV file, relative to the root. Default: `labels.csv`.
    pub fn csv_labels(mut self, file: impl Into<PathBuf>) -> Self {
        self.source.file = file.into();
        self
    }

    /// The format of the CSV file: its delimiter, whether it has a header, the texts for missing values.
    #[doc(alias = "delimiter")]
    #[doc(alias = "header")]
    pub fn csv_options(mut self, options: CsvOptions) -> Self {
        self.source.options = options;
        self
    }
}
