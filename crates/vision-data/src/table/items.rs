//! The table rows of items.

use std::sync::Arc;

use crate::error::{Error, Result};
use crate::table::column::Column;
use crate::table::error::TableError;
use crate::table::{ColumnOf, Table};

/// The table from which items come, and the row of each item.
#[derive(Clone, Debug)]
pub(crate) struct Rows {
    pub(crate) table: Arc<Table>,
    pub(crate) rows: Vec<u32>,
}

/// A column of the table from which items come.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ItemColumn<'a> {
    column: ColumnOf<'a>,
    rows: &'a [u32],
}

impl<'a> ItemColumn<'a> {
    pub(crate) fn of(rows: Option<&'a Rows>, column: &Column) -> Result<Self> {
        let Some(Rows { table, rows }) = rows else {
            return Err(Error::Table(TableError::NoTable {
                column: column.clone(),
            }));
        };
        Ok(Self {
            column: table.column(column)?,
            rows,
        })
    }

    pub(crate) fn name(&self) -> &'a str {
        self.column.name()
    }

    fn row(&self, item: usize) -> usize {
        self.rows[item] as usize
    }

    pub(crate) fn raw(&self, item: usize) -> &'a str {
        self.column.raw(self.row(item))
    }

    pub(crate) fn value(&self, item: usize) -> Result<&'a str> {
        self.column.value(self.row(item))
    }

    pub(crate) fn text(&self, item: usize) -> Result<&'a str> {
        self.column.text(self.row(item))
    }

    pub(crate) fn bad(&self, item: usize, expected: &'static str) -> Error {
        self.column.bad(self.row(item), expected)
    }
}
