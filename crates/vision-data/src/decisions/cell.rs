//! Cells that no spreadsheet takes for a formula, and back.

use std::borrow::Cow;

use vision_base::csv;

/// A cell that [`read`] turns back into the text. An apostrophe stands before a text that begins like a formula, and before
/// one that begins like such a cell.
pub(super) fn written(text: &str) -> Cow<'_, str> {
    match text.starts_with('\'') && is_formula(text) {
        true => Cow::Owned(csv::field(&format!("'{text}")).into_owned()),
        false => csv::field(text),
    }
}

/// The text of a cell: without the apostrophe before what begins like a formula.
pub(super) fn read(cell: &str) -> &str {
    match cell.strip_prefix('\'') {
        Some(text) if is_formula(text) => text,
        _ => cell,
    }
}

/// Whether a text begins like a formula, or like a cell in which an apostrophe stands before one.
fn is_formula(text: &str) -> bool {
    let formula = ['=', '+', '-', '@', '＝', '＋', '－', '＠', '\t', '\r', '\n'];
    text.trim_start_matches('\'').starts_with(formula)
}
