//! The table column that holds file names.

use std::path::PathBuf;

use crate::table::column::Column;

/// The table column that holds file names, and how to turn a name into a path.
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
    /// The first column, with names relative to the root.
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
    /// Takes the names from this column.
    pub fn new(column: impl Into<Column>) -> Self {
        Self {
            column: column.into(),
            ..Self::default()
        }
    }

    /// Looks for the files in this folder under the root.
    pub fn in_folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.folder = Some(folder.into());
        self
    }

    /// Appends this to each name, such as `.jpg`.
    pub fn with_suffix(mut self, suffix: impl Into<String>) -> Self {
        self.suffix = suffix.into();
        self
    }

    /// Whether to check at once that each file exists. Default: `true`.
    pub fn with_check(mut self, check: bool) -> Self {
        self.check = check;
        self
    }
}
