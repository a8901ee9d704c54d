//! Decisions, and the file that holds them.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use memchr::memchr2;
use vision_base::message::shown;
use vision_base::{OptionError, atomic};

use crate::decisions::cell;
use crate::decisions::decision::Decision;
use crate::decisions::error::DecisionError;
use crate::error::Result;
use crate::files::text;
use crate::table::Table;
use crate::table::column::Column;
use crate::table::csv::CsvOptions;
use crate::table::error::TableError;

/// Decisions about the images of a data set: which are left out, and which get another label. No file is deleted, moved or
/// changed.
///
/// The file is a CSV file in UTF-8 with the header `file,decision,label`. `file` is the path of an image relative to the
/// root of the data, with `/` between folders, or its name in its source. `decision` is `keep`, `relabel` or `exclude`.
/// `label` is the new label after `relabel`, and empty otherwise. Further columns are ignored.
///
/// ```text
/// file,decision,label
/// train/cat/1.jpg,relabel,dog
/// train/cat/2.jpg,exclude,
/// "valid/dog/a, b.jpg",keep,
/// ```
///
/// ```
/// use vision_data::{Decision, Decisions, ImageDataBunch};
///
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = vision_data::datasets::synthetic::digits(&folder.path().join("digits"), 1, 4, 2)?;
/// let mut decisions = Decisions::new();
/// decisions.set("train/3/00000.png", Decision::Exclude)?;
/// decisions.set("train/3/00001.png", Decision::Relabel("7".to_owned()))?;
/// decisions.save(path.join("decisions.csv"))?;
///
/// let decisions = Decisions::read(path.join("decisions.csv"))?;
/// let data = ImageDataBunch::from_folder(&path).decisions(decisions).batch_size(2).build()?;
/// assert_eq!(data.train_ds().len(), 7);
/// assert_eq!(data.decided().excluded, [path.join("train/3/00000.png")]);
/// # Ok::<(), vision_data::Error>(())
/// ```
#[doc(alias("ImageCleaner", "cleaned.csv"))]
#[derive(Clone, Debug, Default)]
pub struct Decisions {
    entries: Vec<Entry>,
    /// The position of each name.
    positions: HashMap<String, usize>,
    file: Option<PathBuf>,
    pub(super) missing_ignored: bool,
    pub(super) new_classes: Vec<String>,
}

/// The decision about one image.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) decision: Decision,
    /// The line in the file.
    line: Option<u64>,
}

impl Decisions {
    /// No decisions.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads a file. It may have a byte order mark, any line ends, semicolons or tabs instead of commas, and the columns in
    /// any order; `label` may be missing. An apostrophe before a cell that begins like a formula is not part of it.
    ///
    /// # Errors
    ///
    /// [`Error::Io`](crate::Error::Io) if the file cannot be read; [`TableError::Csv`](crate::TableError::Csv) with the line if it is no CSV
    /// file in UTF-8; [`TableError::Empty`](crate::TableError::Empty) without a header;
    /// [`TableError::NoSuchColumn`](crate::TableError::NoSuchColumn);
    /// [`TableError::BadCell`](crate::TableError::BadCell) with the line for an empty name, an unknown decision, and a label
    /// without `relabel`; [`DecisionError::Twice`](crate::DecisionError::Twice) for different decisions about one image.
    pub fn read(file: impl AsRef<Path>) -> Result<Self> {
        let file = file.as_ref();
        let bytes = text::read(file)?;
        let options = CsvOptions::new()
            .with_delimiter(delimiter(&bytes))
            .with_missing([""; 0]);
        let Some(table) = Table::parse(file, &bytes, &options)? else {
            let path = file.to_owned();
            return Err(TableError::Empty { path }.into());
        };
        let column = |name: &str| table.column(&Column::Name(name.to_owned()));
        let (names, words) = (column("file")?, column("decision")?);
        let labels = match table.columns().iter().any(|name| name == "label") {
            true => Some(column("label")?),
            false => None,
        };
        let mut found = Self {
            file: Some(file.to_owned()),
            ..Self::default()
        };
        for row in 0..table.len() {
            let name = cell::read(names.raw(row));
            let label = labels.map_or("", |labels| cell::read(labels.raw(row)));
            let word = words.raw(row).trim().to_ascii_lowercase();
            let decision = match (word.as_str(), label) {
                ("relabel", label) => Decision::Relabel(label.to_owned()),
                ("keep", "") => Decision::Keep,
                ("exclude", "") => Decision::Exclude,
                ("keep" | "exclude", _) => {
                    let labels = labels.unwrap_or(words);
                    return Err(labels.bad(row, "nothing, since only relabel has a label"));
                }
                _ => return Err(words.bad(row, "keep, relabel or exclude")),
            };
            if name.is_empty() {
                return Err(names.bad(
                    row,
                    "the file of an image, relative to the root of the data",
                ));
            }
            found.add(Entry {
                name: name.to_owned(),
                decision,
                line: table.line(row),
            })?;
        }
        Ok(found)
    }

    /// Adds an entry, unless the same one is there.
    fn add(&mut self, entry: Entry) -> Result<()> {
        match self.positions.get(&key(&entry.name)) {
            None => {
                self.positions.insert(key(&entry.name), self.entries.len());
                self.entries.push(entry);
                Ok(())
            }
            Some(&before) if self.entries[before].decision == entry.decision => Ok(()),
            Some(&before) => Err(DecisionError::Twice {
                first: self.place(&self.entries[before]),
                second: self.place(&entry),
                name: entry.name,
            }
            .into()),
        }
    }

    /// Sets the decision about an image, replacing an earlier one.
    ///
    /// # Errors
    ///
    /// [`Error::Option`](crate::Error::Option) for an empty name, and for a zero character, which no file of text can hold.
    pub fn set(&mut self, file: impl Into<String>, decision: Decision) -> Result<()> {
        let name = file.into();
        if name.is_empty() || name.contains('\0') || decision.label().contains('\0') {
            let expected = "the name of a file, and a label, without zero characters";
            let found = format!("{name:?} and {:?}", decision.label());
            return Err(OptionError::new("decision", expected, found).into());
        }
        let entry = Entry {
            name,
            decision,
            line: None,
        };
        match self.positions.get(&key(&entry.name)) {
            Some(&before) => self.entries[before] = entry,
            None => self.add(entry)?,
        }
        Ok(())
    }

    /// Whether decisions about images that the data does not have are ignored. Default: they are an error.
    pub fn with_missing_ignored(mut self, ignored: bool) -> Self {
        self.missing_ignored = ignored;
        self
    }

    /// Allows these classes as new labels. By default a new label must be a class that an image of training or validation
    /// has, or one of the `.classes(..)` of the data, so that a misspelled name does not become a class.
    pub fn with_new_classes<C: Into<String>>(
        mut self,
        classes: impl IntoIterator<Item = C>,
    ) -> Self {
        self.new_classes.extend(classes.into_iter().map(Into::into));
        self
    }

    /// The decision about an image.
    pub fn get(&self, file: &str) -> Option<&Decision> {
        let position = self.positions.get(&key(file))?;
        Some(&self.entries[*position].decision)
    }

    /// The images with the decisions about them, in the order in which they were made.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Decision)> {
        let entries = self.entries.iter();
        entries.map(|entry| (entry.name.as_str(), &entry.decision))
    }

    /// The number of decisions.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are no decisions.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The text of the file. Spreadsheets take no cell for a formula: an apostrophe stands before one that begins like
    /// a formula, which [`read`](Self::read) takes away.
    pub fn to_csv(&self) -> String {
        let mut table = String::from("file,decision,label\n");
        for Entry { name, decision, .. } in &self.entries {
            let (name, label) = (cell::written(name), cell::written(decision.label()));
            let _ = writeln!(table, "{name},{},{label}", decision.word());
        }
        table
    }

    /// Writes the file, atomically.
    ///
    /// # Errors
    ///
    /// [`Error::Io`](crate::Error::Io) if it cannot be written.
    pub fn save(&self, file: impl AsRef<Path>) -> Result<()> {
        Ok(atomic::write(file.as_ref(), self.to_csv().as_bytes())?)
    }

    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The line of a decision, for messages.
    pub(crate) fn place(&self, entry: &Entry) -> String {
        match (&self.file, entry.line) {
            (Some(file), Some(line)) => format!("line {line} of {}", shown(file)),
            _ => "a decision".to_owned(),
        }
    }
}

/// The name without parts that mean nothing: `./a//b` is `a/b`.
pub(crate) fn key(name: &str) -> String {
    if !name.contains("./") && !name.contains("//") {
        return name.to_owned();
    }
    let root = if name.starts_with('/') { "/" } else { "" };
    let parts = name
        .split('/')
        .filter(|part| !part.is_empty() && *part != ".");
    let parts: Vec<&str> = parts.collect();
    format!("{root}{}", parts.join("/"))
}

/// What separates the cells of the first line.
fn delimiter(bytes: &[u8]) -> u8 {
    let end = memchr2(b'\n', b'\r', bytes).unwrap_or(bytes.len());
    let first = &bytes[..end];
    let delimiters = [b',', b';', b'\t'];
    let found = delimiters.into_iter().find(|byte| first.contains(byte));
    found.unwrap_or(b',')
}
