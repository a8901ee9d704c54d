//! Reading a table from a CSV file.

use std::path::Path;

use csv_core::{ReadRecordResult, Reader, ReaderBuilder};
use memchr::memchr;
use vision_base::OptionError;

use crate::error::{Error, Result};
use crate::files::text::{self, without_mark};
use crate::table::error::TableError;
use crate::table::{Table, line_ends};

/// The texts that stand for a missing value: those of pandas' `read_csv`, which fastai uses.
pub const MISSING: [&str; 19] = [
    "", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN",
    "<NA>", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null",
];

/// The format of a CSV file.
///
/// ```
/// use vision_data::{CsvOptions, Table};
///
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("labels.csv");
/// std::fs::write(&path, "1.jpg;cat\n2.jpg;\"dog; small\"\n")?;
/// let table = Table::read_csv(&path, &CsvOptions::new().with_delimiter(b';').with_header(false))?;
/// assert_eq!(table.cell(1, &1.into())?, Some("dog; small"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CsvOptions {
    delimiter: u8,
    header: bool,
    missing: Vec<String>,
}

impl Default for CsvOptions {
    fn default() -> Self {
        Self {
            delimiter: b',',
            header: true,
            missing: MISSING.map(ToOwned::to_owned).to_vec(),
        }
    }
}

impl CsvOptions {
    /// Commas, a header, and [`MISSING`] as texts for missing values.
    pub fn new() -> Self {
        Self::default()
    }

    /// The delimiter between cells, such as `b';'` or `b'\t'`.
    pub fn with_delimiter(mut self, delimiter: u8) -> Self {
        self.delimiter = delimiter;
        self
    }

    /// Whether the first line is a header. Without one, columns are named "0", "1" and so on.
    pub fn with_header(mut self, header: bool) -> Self {
        self.header = header;
        self
    }

    /// The texts that stand for a missing value. Pass only `""` if, for example, `None` is a class name.
    pub fn with_missing<S: Into<String>>(mut self, texts: impl IntoIterator<Item = S>) -> Self {
        self.missing = texts.into_iter().map(Into::into).collect();
        self
    }
}

impl Table {
    /// Reads a CSV file in UTF-8, with or without a byte order mark. Cells in double quotes may
    /// contain delimiters and line ends. Empty lines are skipped.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if the file cannot be read; [`TableError::Csv`](crate::TableError::Csv) with the
    /// line if the file is not UTF-8, a line has more or fewer cells than the first, or a quote is not
    /// closed; [`TableError::Empty`](crate::TableError::Empty) if there are no rows; [`Error::Option`]
    /// for an invalid delimiter.
    pub fn read_csv(path: impl AsRef<Path>, options: &CsvOptions) -> Result<Self> {
        let path = path.as_ref();
        let table = Self::parse(path, &text::read(path)?, options)?;
        table.filter(|table| !table.is_empty()).ok_or_else(|| {
            Error::Table(TableError::Empty {
                path: path.to_owned(),
            })
        })
    }

    /// The table in the bytes of a file, which may have no rows; `None` without a header or a first row.
    pub(crate) fn parse(path: &Path, bytes: &[u8], options: &CsvOptions) -> Result<Option<Self>> {
        if !options.delimiter.is_ascii() || b"\"\r\n".contains(&options.delimiter) {
            return Err(Error::Option(OptionError::new(
                "delimiter",
                "an ASCII character other than a quote or a line end",
                format!("{:?}", char::from(options.delimiter)),
            )));
        }
        let mut records = Records::new(path, utf8(path, bytes)?, options.delimiter);
        let mut cells = Cells::default();
        let mut table = None;
        while let Some(line) = records.read(&mut cells)? {
            let is_header = options.header && table.is_none();
            let table: &mut Self = table.get_or_insert_with(|| {
                let names = cells.iter().enumerate().map(|(position, name)| {
                    if options.header {
                        name.trim().to_owned()
                    } else {
                        position.to_string()
                    }
                });
                Self::of_file(path, names.collect(), options.header.then_some(line))
            });
            let columns = table.columns().len();
            if cells.ends.len() != columns {
                return Err(bad(
                    path,
                    line,
                    format!(
                        "expected {columns} cells as in the first line, found {}; a cell that contains the \
                         delimiter must be in quotes (\"){}",
                        cells.ends.len(),
                        table.delimiter_hint()
                    ),
                ));
            }
            if is_header {
                continue;
            }
            let missing = |text: &str| options.missing.iter().any(|known| known == text);
            table.push_line(line, cells.iter().map(|text| (text, missing(text))));
        }
        Ok(table)
    }
}

/// The text of a file, without a byte order mark.
fn utf8<'a>(path: &Path, bytes: &'a [u8]) -> Result<&'a str> {
    let (at, found) = match (std::str::from_utf8(bytes), memchr(0, bytes)) {
        (Ok(text), None) => return Ok(without_mark(text)),
        (Err(error), _) => (error.valid_up_to(), "it is not valid UTF-8"),
        (Ok(_), Some(at)) => (at, "it contains a zero byte, as text in UTF-16 does"),
    };
    let reason = format!("{found}: save the file in UTF-8 (a spreadsheet calls it \"CSV UTF-8\")");
    Err(bad(path, 1 + line_ends(bytes, at), reason))
}

/// Whether a record ends in a cell with an unclosed quote. A quote inside of an unquoted cell is an
/// ordinary character.
fn ends_in_quotes(record: &[u8], delimiter: u8) -> bool {
    let (mut quoted, mut at_start) = (false, true);
    for &byte in record {
        // A doubled quote leaves the cell and enters it again.
        if byte == b'"' && (quoted || at_start) {
            quoted = !quoted;
            // After the closing quote, only another quote continues the cell.
            at_start = !quoted;
        } else {
            at_start = byte == delimiter && !quoted;
        }
    }
    quoted
}

fn bad(path: &Path, line: u64, reason: String) -> Error {
    Error::Table(TableError::Csv {
        path: path.to_owned(),
        line,
        reason,
    })
}

/// The cells of one record.
#[derive(Debug, Default)]
struct Cells {
    text: Vec<u8>,
    ends: Vec<usize>,
}

impl Cells {
    fn iter(&self) -> impl Iterator<Item = &str> {
        let mut start = 0;
        self.ends.iter().map(move |&end| {
            let cell = &self.text[start..end];
            start = end;
            std::str::from_utf8(cell).expect("a cell is valid UTF-8, cut at ASCII characters")
        })
    }
}

/// The records of a file with the line on which each begins; `csv_core` loses count of lines
/// at empty ones.
struct Records<'a> {
    path: &'a Path,
    rest: &'a [u8],
    reader: Reader,
    delimiter: u8,
    line: u64,
}

impl<'a> Records<'a> {
    fn new(path: &'a Path, text: &'a str, delimiter: u8) -> Self {
        Self {
            path,
            rest: text.as_bytes(),
            reader: ReaderBuilder::new().delimiter(delimiter).build(),
            delimiter,
            line: 1,
        }
    }

    /// Reads the next record into `cells` and returns its line; `None` at the end.
    fn read(&mut self, cells: &mut Cells) -> Result<Option<u64>> {
        while let [b'\r' | b'\n', rest @ ..] = self.rest {
            self.line += line_ends(self.rest, 1);
            self.rest = rest;
        }
        if self.rest.is_empty() {
            return Ok(None);
        }
        let (line, start) = (self.line, self.rest);
        let (mut filled, mut count) = (0, 0);
        // Grow on demand: the buffers double if they are too short.
        cells.text.resize(cells.text.capacity().max(64), 0);
        cells.ends.resize(cells.ends.capacity().max(8), 0);
        loop {
            let (result, read, written, ended) = self.reader.read_record(
                self.rest,
                &mut cells.text[filled..],
                &mut cells.ends[count..],
            );
            self.rest = &self.rest[read..];
            (filled, count) = (filled + written, count + ended);
            match result {
                ReadRecordResult::Record | ReadRecordResult::End => break,
                // All input was given; the next call signals the end.
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputFull => cells.text.resize(2 * cells.text.len(), 0),
                ReadRecordResult::OutputEndsFull => cells.ends.resize(2 * cells.ends.len(), 0),
            }
        }
        cells.ends.truncate(count);
        let length = start.len() - self.rest.len();
        // An unclosed quote puts the rest of the file into one cell, which `csv_core` accepts.
        if self.rest.is_empty() && ends_in_quotes(start, self.delimiter) {
            let reason = "a quote (\") is opened but never closed";
            return Err(bad(self.path, line, reason.to_owned()));
        }
        self.line += line_ends(start, length);
        Ok(Some(line))
    }
}
