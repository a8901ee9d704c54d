//! Selects a column of a table.

use std::fmt;

use vision_base::message::quoted;

/// A column of a table, by name or by position from 0.
///
/// ```
/// use vision_data::Column;
/// assert_eq!(Column::from("label"), Column::Name("label".to_owned()));
/// assert_eq!(Column::from(1), Column::Position(1));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Column {
    /// The column with this name.
    Name(String),
    /// The column at this position, from 0.
    Position(usize),
}

impl From<&str> for Column {
    fn from(name: &str) -> Self {
        Self::Name(name.to_owned())
    }
}

impl From<String> for Column {
    fn from(name: String) -> Self {
        Self::Name(name)
    }
}

impl From<usize> for Column {
    fn from(position: usize) -> Self {
        Self::Position(position)
    }
}

impl fmt::Display for Column {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(&quoted(name)),
            Self::Position(position) => write!(f, "number {position}"),
        }
    }
}
