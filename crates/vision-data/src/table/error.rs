//! Errors of a table.

use std::path::PathBuf;

use vision_base::message::{listed, quoted, shown};

use crate::table::column::Column;

/// An error of a table.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TableError {
    /// The table of names and labels does not exist.
    #[error(
        "there is no table {}: name the CSV file under {} with `.csv_labels(..)`; found {found}",
        shown(file),
        shown(folder)
    )]
    Missing {
        /// The root of the data set.
        folder: PathBuf,
        /// The missing file.
        file: PathBuf,
        /// The CSV files in the root, or what else it holds.
        found: String,
    },
    /// A CSV file is malformed or not UTF-8.
    #[error("{}, line {line}: {reason}", shown(path))]
    Csv {
        /// The file.
        path: PathBuf,
        /// The line, from 1, on which the row begins.
        line: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// A CSV file has no rows.
    #[error("{} has no rows of data: expected one per image", shown(path))]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// A row does not have one cell per column.
    #[error("row {row} has {found} cells, expected {expected}, one per column")]
    RaggedRow {
        /// The row, from 0.
        row: usize,
        /// The number of columns.
        expected: usize,
        /// The number of cells.
        found: usize,
    },
    /// A table does not have the requested column.
    #[error(
        "{} has no column {column}: its columns are {}{hint}",
        shown(table),
        listed(known.iter())
    )]
    NoSuchColumn {
        /// The file, or "the table".
        table: PathBuf,
        /// The requested column.
        column: Column,
        /// The names of the columns.
        known: Vec<String>,
        /// The delimiter that was probably meant, if the table has a single column; otherwise empty.
        hint: String,
    },
    /// Several columns of a table have the requested name.
    #[error(
        "{} has {} columns called {}, at positions {}: ask for one by its position, as in \
         `.label_col({})`",
        shown(table),
        positions.len(),
        quoted(column),
        listed(positions.iter().map(usize::to_string)),
        positions.last().copied().unwrap_or_default()
    )]
    ColumnTwice {
        /// The file, or "the table".
        table: PathBuf,
        /// The requested name.
        column: String,
        /// The positions of the columns with this name, from 0.
        positions: Vec<usize>,
    },
    /// A column was requested, but the items do not come from a table.
    #[error(
        "there is no table to take column {column} from: the items must come from one (ImageList::from_csv or \
         from_df)"
    )]
    NoTable {
        /// The requested column.
        column: Column,
    },
    /// A cell of a table is invalid.
    #[error(
        "{place}, column {}: expected {expected}, found {found}",
        quoted(column)
    )]
    BadCell {
        /// The line of the file, or the row of the table.
        place: String,
        /// The row, from 0.
        row: usize,
        /// The name of the column.
        column: String,
        /// What was expected.
        expected: &'static str,
        /// What was found.
        found: String,
    },
}
