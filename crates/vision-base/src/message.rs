//! Names and texts of the user's in messages: on one line, and no longer than one can read.

use std::ffi::OsStr;

/// The longest path, in characters.
const MOST_OF_A_PATH: usize = 1000;
/// The longest label or cell, in characters.
const MOST_OF_A_NAME: usize = 200;
/// The longest list of names.
const MOST_NAMES: usize = 10;

/// A path, or a text of about its length; quotes where it is empty. What a terminal would take for a
/// command is escaped.
pub fn shown(text: impl AsRef<OsStr>) -> String {
    match text.as_ref().to_string_lossy() {
        text if text.is_empty() => "\"\"".to_owned(),
        text => cut(&text, MOST_OF_A_PATH, escaped),
    }
}

/// A label or a cell in quotes.
pub fn quoted(text: &str) -> String {
    cut(text, MOST_OF_A_NAME, |text| format!("{text:?}"))
}

/// A label or another name.
pub fn named(text: &str) -> String {
    cut(text, MOST_OF_A_NAME, escaped)
}

/// The first names, separated by commas, and how many more there are.
pub fn listed<T: AsRef<str>>(names: impl ExactSizeIterator<Item = T>) -> String {
    joined(names.map(|name| named(name.as_ref())))
}

/// As [`listed`], of what is fit for a message already.
pub fn joined(names: impl ExactSizeIterator<Item = String>) -> String {
    let more = names.len().saturating_sub(MOST_NAMES);
    let first: Vec<String> = names.take(MOST_NAMES).collect();
    match (first.is_empty(), more) {
        (true, _) => "none".to_owned(),
        (false, 0) => first.join(", "),
        (false, more) => format!("{} and {more} more", first.join(", ")),
    }
}

/// At most so many characters, and how many there are if that is not all.
fn cut(text: &str, most: usize, show: impl Fn(&str) -> String) -> String {
    match text.char_indices().nth(most) {
        None => show(text),
        Some((end, _)) => {
            let (start, _) = text.split_at(end);
            format!("{}… ({} characters)", show(start), text.chars().count())
        }
    }
}

fn escaped(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for c in text.chars() {
        match is_printable(c) {
            true => line.push(c),
            false => line.extend(c.escape_debug()),
        }
    }
    line
}

/// Text on one line: without characters that are not [printable](is_printable).
pub fn printable(text: &str) -> String {
    let visible = |c: char| match c {
        c if is_printable(c) => c,
        '\t' | '\n' | '\r' => ' ',
        _ => char::REPLACEMENT_CHARACTER,
    };
    text.chars().map(visible).collect()
}

/// Whether a character is none that controls a terminal, breaks a line, turns the direction of what
/// follows it, or is forbidden in XML.
pub fn is_printable(c: char) -> bool {
    let turns = matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let breaks = matches!(c, '\u{2028}' | '\u{2029}');
    !(c.is_control() || turns || breaks || matches!(c, '\u{fffe}' | '\u{ffff}'))
}
