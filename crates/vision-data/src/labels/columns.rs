//! Labels in the columns of a table.

use crate::error::Result;
use crate::labels::Label;
use crate::labels::kind::TargetKind;
use crate::labels::options::LabelOptions;
use crate::table::items::ItemColumn;

/// The content of a column.
#[derive(Clone, Copy, Debug)]
enum Cells {
    Integers,
    /// Integers, at least one of which exceeds an `i64`: they are identifiers.
    LongIntegers,
    Numbers,
    Text,
}

/// One column of labels.
pub(crate) struct OneColumn<'a> {
    column: &'a ItemColumn<'a>,
    cells: Cells,
    /// Whether an empty cell means no class.
    may_be_empty: bool,
    /// Whether a line end separates classes.
    has_lines: bool,
}

impl<'a> OneColumn<'a> {
    pub(crate) fn new(
        column: &'a ItemColumn<'a>,
        items: usize,
        options: &LabelOptions,
    ) -> Result<Self> {
        let may_be_empty =
            options.delimiter.is_some() || options.kind == Some(TargetKind::MultiCategory);
        let has_lines = options.has_lines();
        if may_be_empty {
            return Ok(Self {
                column,
                cells: Cells::Text,
                may_be_empty,
                has_lines,
            });
        }
        let mut cells = Cells::Integers;
        for item in 0..items {
            let text = column.text(item)?.trim();
            cells = match cells {
                Cells::Integers if text.parse::<i64>().is_ok() => Cells::Integers,
                Cells::Integers | Cells::LongIntegers if is_whole(text) => Cells::LongIntegers,
                Cells::Integers | Cells::LongIntegers | Cells::Numbers
                    if text.parse::<f64>().is_ok() =>
                {
                    Cells::Numbers
                }
                _ => Cells::Text,
            };
            if matches!(cells, Cells::Text) && options.kind != Some(TargetKind::Float) {
                // The kind is known; only check the remaining cells for missing values.
                for item in item..items {
                    column.text(item)?;
                }
                break;
            }
        }
        // "1.0" is a class name if the user asks for classes or lists them.
        let are_names = options.kind == Some(TargetKind::Category)
            || options.kind.is_none() && options.classes.is_some();
        cells = match cells {
            Cells::Numbers if are_names => Cells::Text,
            Cells::LongIntegers => Cells::Text,
            cells => cells,
        };
        Ok(Self {
            column,
            cells,
            may_be_empty,
            has_lines,
        })
    }

    pub(crate) fn label(&self, item: usize) -> Result<Label> {
        if self.may_be_empty && self.column.raw(item).is_empty() {
            return Ok(Label::Multi(Vec::new()));
        }
        let text = match self.has_lines {
            true => self.column.value(item)?,
            false => self.column.text(item)?,
        };
        let number = text.trim();
        Ok(match self.cells {
            Cells::Integers => match number.parse::<i64>() {
                Ok(class) => Label::Int(class),
                Err(_) => return Err(self.column.bad(item, "a whole number, as in the others")),
            },
            Cells::Numbers => match number.parse::<f64>() {
                Ok(value) => Label::Float(vec![value]),
                Err(_) => return Err(self.column.bad(item, "a number, as in the others")),
            },
            Cells::LongIntegers | Cells::Text => text.into(),
        })
    }
}

/// Whether this is an integer of any length.
fn is_whole(text: &str) -> bool {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

pub(crate) fn is_one(text: &str) -> bool {
    matches!(text.trim(), "1" | "1.0") || text.trim().eq_ignore_ascii_case("true")
}

pub(crate) fn are_flags(columns: &[ItemColumn<'_>], items: usize) -> bool {
    let is_zero = |text: &str| {
        matches!(text.trim(), "0" | "0.0") || text.trim().eq_ignore_ascii_case("false")
    };
    columns
        .iter()
        .all(|column| (0..items).all(|item| is_one(column.raw(item)) || is_zero(column.raw(item))))
}
