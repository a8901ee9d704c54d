//! Reading a table from a CSV file.

use std::fs;
use std::path::Path;

use csv_core::{ReadRecordResult, Reader, ReaderBuilder};

use crate::error::{Error, Result, io_error};
use crate::table::Table;

/// The cells that stand for no value: those of pandas' `read_csv`, on which fastai builds.
pub const MISSING: [&str; 19] = [
    "", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN",
    "<NA>", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null",
];

/// How a CSV file is written.
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
    /// Commas, a header, and [`MISSING`] for cells without value.
    pub fn new() -> Self {
        Self::default()
    }

    /// What is between two cells: `b';'`, or `b'\t'`.
    pub fn with_delimiter(mut self, delimiter: u8) -> Self {
        self.delimiter = delimiter;
        self
    }

    /// Whether the first line has the names of the columns. Without, they are "0", "1" and so on.
    pub fn with_header(mut self, header: bool) -> Self {
        self.header = header;
        self
    }

    /// The texts that stand for no value, such as only `""` where `None` is the name of a class.
    pub fn with_missing<S: Into<String>>(mut self, texts: impl IntoIterator<Item = S>) -> Self {
        self.missing = texts.into_iter().map(Into::into).collect();
        self
    }
}

impl Table {
    /// Reads a CSV file in UTF-8, with or without a byte order mark. Cells in double quotes may
    /// hold delimiters and line ends; empty lines are passed over.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if the file cannot be read; [`Error::BadCsv`] with the line if it is not in
    /// UTF-8, a line has more or fewer cells than the first, or a quote is not closed;
    /// [`Error::EmptyTable`] if it has no row; [`Error::BadOption`] for a delimiter that can be
    /// none.
    pub fn read_csv(path: impl AsRef<Path>, options: &CsvOptions) -> Result<Self> {
        let path = path.as_ref();
        if !options.delimiter.is_ascii() || b"\"\r\n".contains(&options.delimiter) {
            return Err(Error::BadOption {
                option: "delimiter",
                expected: "an ASCII character that is no quote and no line end",
                found: format!("{:?}", char::from(options.delimiter)),
            });
        }
        let bytes = fs::read(path).map_err(io_error("read", path))?;
        let mut records = Records::new(path, utf8(path, &bytes)?, options.delimiter);
        let mut cells = Cells::default();
        let mut table = None;
        while let Some(line) = records.read(&mut cells)? {
            let table = table.get_or_insert_with(|| {
                let names = cells.iter().enumerate().map(|(position, name)| {
                    if options.header {
                        name.trim().to_owned()
                    } else {
                        position.to_string()
                    }
                });
                Self::of_file(path, names.collect())
            });
            let columns = table.columns().len();
            if cells.ends.len() != columns {
                return Err(bad(
                    path,
                    line,
                    format!(
                        "expected {columns} cells as in the first line, found {}; a cell that \
                         holds the delimiter belongs in quotes (\")",
                        cells.ends.len()
                    ),
                ));
            }
            if options.header && line == records.first_line {
                continue;
            }
            let missing = |text: &str| options.missing.iter().any(|known| known == text);
            table.push_line(line, cells.iter().map(|text| (text, missing(text))));
        }
        table
            .filter(|table| !table.is_empty())
            .ok_or_else(|| Error::EmptyTable {
                path: path.to_owned(),
            })
    }
}

/// The text of a file, without a byte order mark.
fn utf8<'a>(path: &Path, bytes: &'a [u8]) -> Result<&'a str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(text.strip_prefix('\u{feff}').unwrap_or(text)),
        Err(error) => {
            let before = bytes.get(..error.valid_up_to()).unwrap_or_default();
            let reason = "it is not valid UTF-8: save the file in UTF-8 (a spreadsheet calls it \
                          \"CSV UTF-8\")";
            Err(bad(path, 1 + line_ends(before), reason.to_owned()))
        }
    }
}

fn line_ends(bytes: &[u8]) -> u64 {
    bytes.iter().filter(|&&byte| byte == b'\n').count() as u64
}

fn bad(path: &Path, line: u64, reason: String) -> Error {
    Error::BadCsv {
        path: path.to_owned(),
        line,
        reason,
    }
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
            let cell = self.text.get(start..end).unwrap_or_default();
            start = end;
            // Pieces of valid UTF-8, cut at ASCII characters, are valid.
            std::str::from_utf8(cell).unwrap_or_default()
        })
    }
}

/// The records of a file, with the lines on which they begin, which `csv_core` does not know where
/// lines are empty.
struct Records<'a> {
    path: &'a Path,
    rest: &'a [u8],
    reader: Reader,
    line: u64,
    /// The line of the first record.
    first_line: u64,
}

impl<'a> Records<'a> {
    fn new(path: &'a Path, text: &'a str, delimiter: u8) -> Self {
        Self {
            path,
            rest: text.as_bytes(),
            reader: ReaderBuilder::new().delimiter(delimiter).build(),
            line: 1,
            first_line: 0,
        }
    }

    /// The line of the next record, which is put into `cells`; none at the end.
    fn read(&mut self, cells: &mut Cells) -> Result<Option<u64>> {
        while let [end @ (b'\r' | b'\n'), rest @ ..] = self.rest {
            self.line += u64::from(*end == b'\n');
            self.rest = rest;
        }
        if self.rest.is_empty() {
            return Ok(None);
        }
        let (line, start) = (self.line, self.rest);
        let (mut filled, mut count) = (0, 0);
        // As long as they have to be: doubled where they are too short.
        cells.text.resize(cells.text.capacity().max(64), 0);
        cells.ends.resize(cells.ends.capacity().max(8), 0);
        loop {
            let (result, read, written, ended) = self.reader.read_record(
                self.rest,
                cells.text.get_mut(filled..).unwrap_or_default(),
                cells.ends.get_mut(count..).unwrap_or_default(),
            );
            self.rest = self.rest.get(read..).unwrap_or_default();
            (filled, count) = (filled + written, count + ended);
            match result {
                ReadRecordResult::Record | ReadRecordResult::End => break,
                // All of it was given: the next round is told that there is no more.
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputFull => cells.text.resize(2 * cells.text.len(), 0),
                ReadRecordResult::OutputEndsFull => cells.ends.resize(2 * cells.ends.len(), 0),
            }
        }
        cells.ends.truncate(count);
        let record = start
            .get(..start.len() - self.rest.len())
            .unwrap_or_default();
        let lines = line_ends(record);
        let quotes = record.iter().filter(|&&byte| byte == b'"').count();
        // The rest of the file is then in one cell, and `csv_core` does not mind.
        let inner = record.strip_suffix(b"\n").map_or(lines, |_| lines - 1);
        if self.rest.is_empty() && quotes % 2 == 1 && inner > 0 {
            let reason = "a quote (\") is opened and not closed: expected one before the end";
            return Err(bad(self.path, line, reason.to_owned()));
        }
        self.line += lines;
        if self.first_line == 0 {
            self.first_line = line;
        }
        Ok(Some(line))
    }
}
