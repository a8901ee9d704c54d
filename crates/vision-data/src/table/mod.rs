//! A table of text, such as a CSV file with file names and their labels.

pub(crate) mod column;
pub(crate) mod csv;
pub(crate) mod error;
pub(crate) mod items;

use std::path::{Path, PathBuf};

use vision_base::message::{quoted, shown};

use crate::error::{Error, Result};
use crate::table::column::Column;
use crate::table::error::TableError;

pub(crate) const LINE_ENDS: [char; 2] = ['\n', '\r'];

const ONE_LINE: &str = "text on one line (probably a quote (\") is opened there by mistake and closed in a later \
                        line)";

/// Rows of text in named columns; the counterpart of the pandas data frame that fastai uses.
///
/// Each column is stored as one string and the ends of its cells, so a table takes little more memory
/// than its text. [`read_csv`](Self::read_csv) reads a table from a file.
///
/// ```
/// use vision_data::Table;
///
/// let table = Table::from_rows(["name", "label"], [["1.jpg", "cat"], ["2.jpg", "dog"]])?;
/// assert_eq!((table.len(), table.columns()), (2, &["name".to_owned(), "label".to_owned()][..]));
/// assert_eq!(table.cell(1, &"label".into())?, Some("dog"));
/// # Ok::<(), vision_data::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Table {
    names: Vec<String>,
    cells: Vec<Cells>,
    rows: usize,
    /// The line of each row in its file; empty if the table does not come from a file.
    lines: Vec<u32>,
    file: Option<PathBuf>,
    /// The line of the header in the file.
    header: Option<u64>,
}

/// The cells of one column.
#[derive(Clone, Debug, Default)]
struct Cells {
    text: String,
    ends: Vec<usize>,
    /// The rows whose cell has a missing value, ascending.
    missing: Vec<u32>,
}

impl Cells {
    fn push(&mut self, text: &str, missing: bool) {
        if missing {
            self.missing.push(self.ends.len() as u32);
        }
        self.text.push_str(text);
        self.ends.push(self.text.len());
    }

    fn get(&self, row: usize) -> Option<&str> {
        let end = *self.ends.get(row)?;
        let start = row.checked_sub(1).and_then(|before| self.ends.get(before));
        self.text.get(start.copied().unwrap_or(0)..end)
    }

    fn is_missing(&self, row: usize) -> bool {
        self.missing.binary_search(&(row as u32)).is_ok()
    }
}

impl Table {
    /// A table without rows.
    fn new<S: Into<String>>(columns: impl IntoIterator<Item = S>) -> Self {
        let names: Vec<String> = columns.into_iter().map(Into::into).collect();
        Self {
            cells: vec![Cells::default(); names.len()],
            names,
            ..Self::default()
        }
    }

    /// Creates a table from rows.
    ///
    /// # Errors
    ///
    /// [`TableError::RaggedRow`](crate::TableError::RaggedRow) for a row that does not have one cell
    /// per column.
    pub fn from_rows<S: Into<String>, R: IntoIterator<Item = T>, T: AsRef<str>>(
        columns: impl IntoIterator<Item = S>,
        rows: impl IntoIterator<Item = R>,
    ) -> Result<Self> {
        let mut table = Self::new(columns);
        for row in rows {
            table.push(row)?;
        }
        Ok(table)
    }

    /// Adds a row.
    fn push<T: AsRef<str>>(&mut self, row: impl IntoIterator<Item = T>) -> Result<()> {
        let row: Vec<T> = row.into_iter().collect();
        if row.len() != self.names.len() {
            return Err(Error::Table(TableError::RaggedRow {
                row: self.rows,
                expected: self.names.len(),
                found: row.len(),
            }));
        }
        for (cells, text) in self.cells.iter_mut().zip(row) {
            cells.push(text.as_ref(), false);
        }
        self.rows += 1;
        Ok(())
    }

    /// The names of the columns.
    pub fn columns(&self) -> &[String] {
        &self.names
    }

    /// The number of rows.
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// The text of a cell; `None` if the value is missing or the row does not exist.
    ///
    /// # Errors
    ///
    /// [`TableError::NoSuchColumn`](crate::TableError::NoSuchColumn) with the existing columns;
    /// [`TableError::ColumnTwice`](crate::TableError::ColumnTwice) for a name that several columns have.
    pub fn cell(&self, row: usize, column: &Column) -> Result<Option<&str>> {
        let (.., cells) = self.cells(column)?;
        Ok(cells.get(row).filter(|_| !cells.is_missing(row)))
    }

    /// An empty table for the rows of `file`; `header` is the line of its header.
    pub(crate) fn of_file(file: &Path, columns: Vec<String>, header: Option<u64>) -> Self {
        Self {
            file: Some(file.to_owned()),
            header,
            ..Self::new(columns)
        }
    }

    /// The line of a row in its file.
    pub(crate) fn line(&self, row: usize) -> Option<u64> {
        self.lines.get(row).copied().map(u64::from)
    }

    /// Adds a row of the file, which has one cell per column.
    pub(crate) fn push_line<'a>(&mut self, line: u64, row: impl Iterator<Item = (&'a str, bool)>) {
        for (cells, (text, missing)) in self.cells.iter_mut().zip(row) {
            cells.push(text, missing);
        }
        self.lines.push(u32::try_from(line).unwrap_or(u32::MAX));
        self.rows += 1;
    }

    /// A column with file names, labels or the like. Its header must be on one line.
    pub(crate) fn column(&self, column: &Column) -> Result<ColumnOf<'_>> {
        let (position, name, cells) = self.cells(column)?;
        if self.has_header() && name.contains(LINE_ENDS) {
            return Err(self.bad_header(format!(
                "expected the name of a column to be {ONE_LINE}, found {}",
                quoted(name)
            )));
        }
        Ok(ColumnOf {
            table: self,
            position,
            name,
            cells,
        })
    }

    fn cells(&self, column: &Column) -> Result<(usize, &str, &Cells)> {
        let position = match column {
            Column::Name(name) => {
                let called = |at: &usize| self.names.get(*at) == Some(name);
                let positions: Vec<usize> = (0..self.names.len()).filter(called).collect();
                if positions.len() > 1 {
                    return Err(Error::Table(TableError::ColumnTwice {
                        table: self.source(),
                        column: name.clone(),
                        positions,
                    }));
                }
                positions.first().copied()
            }
            Column::Position(position) => Some(*position),
        };
        position
            .and_then(|at| Some((at, self.names.get(at)?.as_str(), self.cells.get(at)?)))
            .ok_or_else(|| {
                Error::Table(TableError::NoSuchColumn {
                    table: self.source(),
                    column: column.clone(),
                    known: self.names.clone(),
                    hint: self.delimiter_hint(),
                })
            })
    }

    /// If the table has a single column, suggests the delimiter that was probably meant.
    pub(crate) fn delimiter_hint(&self) -> String {
        let ([name], [cells], Some(_)) = (&*self.names, &*self.cells, &self.file) else {
            return String::new();
        };
        let line = match self.header {
            Some(_) => name,
            None => cells.get(0).unwrap_or_default(),
        };
        let between = [';', '\t', '|', ',']
            .into_iter()
            .find(|&c| line.contains(c));
        between.map_or_else(String::new, |c| {
            format!("; the columns seem to be separated by {c:?}: `CsvOptions::new().with_delimiter(b{c:?})`")
        })
    }

    /// Whether the column names come from the header of a file.
    pub(crate) fn has_header(&self) -> bool {
        self.header.is_some()
    }

    /// The error for an invalid header.
    pub(crate) fn bad_header(&self, reason: String) -> Error {
        Error::Table(TableError::Csv {
            path: self.source(),
            line: self.header.unwrap_or(1),
            reason,
        })
    }

    /// The file, or a phrase that stands for it.
    fn source(&self) -> PathBuf {
        self.file.clone().unwrap_or_else(|| "the table".into())
    }
}

/// A column of a table with its name, for messages.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ColumnOf<'a> {
    table: &'a Table,
    position: usize,
    name: &'a str,
    cells: &'a Cells,
}

impl<'a> ColumnOf<'a> {
    pub(crate) fn name(&self) -> &'a str {
        self.name
    }

    /// The text, even if it stands for a missing value ("NA").
    pub(crate) fn raw(&self, row: usize) -> &'a str {
        self.cells
            .get(row)
            .expect("a column has a cell in each row")
    }

    /// The text of a cell whose value must not be missing.
    pub(crate) fn value(&self, row: usize) -> Result<&'a str> {
        match self.raw(row) {
            text if text.is_empty() || self.cells.is_missing(row) => Err(self.bad(row, "a value")),
            text => Ok(text),
        }
    }

    /// Like `value`, but rejects a cell of a file that spans several lines.
    pub(crate) fn text(&self, row: usize) -> Result<&'a str> {
        let text = self.value(row)?;
        if self.table.file.is_some() && text.contains(LINE_ENDS) {
            return Err(self.bad(row, ONE_LINE));
        }
        Ok(text)
    }

    /// Rejects a file in which a cell of the column spans several lines.
    pub(crate) fn check_lines(&self) -> Result<()> {
        if self.table.file.is_none() || !self.cells.text.contains(LINE_ENDS) {
            return Ok(());
        }
        let row = (0..self.table.len()).find(|&row| self.raw(row).contains(LINE_ENDS));
        row.map_or(Ok(()), |row| Err(self.bad(row, ONE_LINE)))
    }

    /// Where the cell of a row begins, for messages.
    pub(crate) fn place(&self, row: usize) -> String {
        let table = shown(self.table.source());
        match self.table.lines.get(row) {
            Some(&line) => {
                let before = self.table.cells.iter().take(self.position);
                let texts = before.filter_map(|cells| cells.get(row));
                let ends = texts.map(|text| line_ends(text.as_bytes(), text.len()));
                format!("line {} of {table}", u64::from(line) + ends.sum::<u64>())
            }
            None => format!("row {row} of {table}"),
        }
    }

    /// The error for an invalid cell.
    pub(crate) fn bad(&self, row: usize, expected: &'static str) -> Error {
        let found = match self.raw(row) {
            "" => "nothing".to_owned(),
            text if self.cells.is_missing(row) => format!(
                "{text:?}, which means a missing value; if it is a name, change what counts as missing: \
                 `CsvOptions::new().with_missing([\"\"])`"
            ),
            text => quoted(text),
        };
        Error::Table(TableError::BadCell {
            place: self.place(row),
            row,
            column: self.name.to_owned(),
            expected,
            found,
        })
    }
}

/// The number of line ends in the first `count` bytes: `\n`, `\r\n` (counted at its second byte), or `\r`.
pub(crate) fn line_ends(bytes: &[u8], count: usize) -> u64 {
    let is_end = |&at: &usize| match bytes.get(at) {
        Some(b'\r') => bytes.get(at + 1) != Some(&b'\n'),
        byte => byte == Some(&b'\n'),
    };
    (0..count).filter(is_end).count() as u64
}
