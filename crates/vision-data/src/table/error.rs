//! What can be wrong with a table.

use std::path::PathBuf;

use vision_base::message::{listed, quoted, shown};

use crate::table::column::Column;

/// What can be wrong with a table.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TableError {
    /// The table of names and labels is not there.
    #[error(
        "there is no table {}: name the CSV file under {} with `.csv_labels(..)`; found {found}",
        shown(file),
        shown(folder)
    )]
    Missing {
        /// The root of the set.
        folder: PathBuf,
        /// The file that was looked for.
        file: PathBuf,
        /// The CSV files that are there, or what else is.
        found: String,
    },
    /// A CSV file is damaged or not in UTF-8.
    #[error("{}, line {line}: {reason}", shown(path))]
    Csv {
        /// The file.
        path: PathBuf,
        /// The line, from 1, on which the row begins.
        line: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// A CSV file has no row.
    #[error("{} has no row of data: expected one for each image", shown(path))]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// A row has another number of cells than there are columns.
    #[error("row {row} has {found} cells, expected {expected}, one a column")]
    RaggedRow {
        /// The row, from 0.
        row: usize,
        /// The number of columns.
        expected: usize,
        /// The number of cells.
        found: usize,
    },
    /// A table has no such column.
    #[error(
        "{} has no column {column}: its columns are {}{hint}",
        shown(table),
        listed(known.iter())
    )]
    NoSuchColumn {
        /// The file, or "the table".
        table: PathBuf,
        /// The column asked for.
        column: Column,
        /// The names of the columns.
        known: Vec<String>,
        /// What seems to be between the cells, if all are in one column; else empty.
        hint: String,
    },
    /// More than one column of a table has the name that is asked for.
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
        /// The name asked for.
        column: String,
        /// The columns that have it, from 0.
        positions: Vec<usize>,
    },
    /// A column is asked for, but the items do not come from a table.
    #[error(
        "there is no table to take column {column} from: the items have to come from one \
         (ImageList::from_csv or from_df)"
    )]
    NoTable {
        /// The column asked for.
        column: Column,
    },
    /// A cell of a table cannot be used.
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
        /// What the cell should hold.
        expected: &'static str,
        /// What it holds.
        found: String,
    },
}
