//! What the sections of a report consist of.

use serde::Serialize;

use crate::report::picture::Picture;
use crate::{Figure, Result};

/// A section: what it could find out, or why it could not.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Section {
    /// The anchor of the section.
    pub(super) id: &'static str,
    pub(super) title: &'static str,
    pub(super) blocks: Vec<Block>,
}

/// A part of a section.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(super) enum Block {
    /// A paragraph.
    Text { text: String },
    /// Something that could not be made, and why.
    Problem { text: String },
    /// A heading within the section.
    Heading { text: String },
    /// A chart, as SVG of our own making.
    Chart { svg: String, caption: String },
    /// Names and values.
    Facts { rows: Vec<(String, String)> },
    /// A table.
    Table(Table),
    /// Images with captions.
    Cards { cards: Vec<Card> },
}

impl Block {
    pub(super) fn text(text: impl Into<String>) -> Self {
        Self::Text { text: text.into() }
    }

    pub(super) fn problem(what: &str, error: impl std::fmt::Display) -> Self {
        let text = format!("{what} is missing here: {error}");
        Self::Problem { text }
    }

    pub(super) fn heading(text: impl Into<String>) -> Self {
        Self::Heading { text: text.into() }
    }

    /// A figure, or why there is none.
    pub(super) fn chart(figure: Result<Figure>, what: &str, caption: impl Into<String>) -> Self {
        match figure {
            Ok(figure) => Self::Chart {
                svg: figure.to_svg(),
                caption: caption.into(),
            },
            Err(error) => Self::problem(what, error),
        }
    }
}

/// A table that a reader can sort, and filter if it is long.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Table {
    pub(super) caption: String,
    pub(super) columns: Vec<Column>,
    pub(super) rows: Vec<Vec<Cell>>,
}

/// The head of a column.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) numeric: bool,
}

/// A cell, and the number that it is sorted by.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Cell {
    pub(super) text: String,
    pub(super) sort: Option<f64>,
}

impl Table {
    pub(super) fn new(caption: impl Into<String>) -> Self {
        Self {
            caption: caption.into(),
            ..Self::default()
        }
    }

    pub(super) fn text(mut self, name: impl Into<String>) -> Self {
        self.columns.push(Column {
            name: name.into(),
            numeric: false,
        });
        self
    }

    pub(super) fn numbers<'a>(mut self, names: impl IntoIterator<Item = &'a str>) -> Self {
        self.columns.extend(names.into_iter().map(|name| Column {
            name: name.to_owned(),
            numeric: true,
        }));
        self
    }
}

impl Cell {
    pub(super) fn text(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            sort: None,
        }
    }

    pub(super) fn count(count: u64) -> Self {
        Self {
            text: count.to_string(),
            sort: Some(count as f64),
        }
    }

    /// A number with so many decimals; a dash if there is none.
    pub(super) fn number(value: Option<f64>, decimals: usize) -> Self {
        let value = value.filter(|value| value.is_finite());
        Self {
            text: value.map_or("–".to_owned(), |value| format!("{value:.decimals$}")),
            sort: value,
        }
    }
}

/// An image with what there is to say about it.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Card {
    /// The image; `None` if it cannot be read, which a line says.
    pub(super) picture: Option<Picture>,
    /// The same with a heat map over it.
    pub(super) heatmap: Option<Picture>,
    /// What the image shows, for those who do not see it.
    pub(super) alt: String,
    pub(super) lines: Vec<String>,
    /// The file, if a person may decide about it.
    pub(super) file: Option<String>,
    /// The label that it has, if a person may decide about it.
    pub(super) given: Option<String>,
    /// The label that it probably should have.
    pub(super) suggested: Option<String>,
}
