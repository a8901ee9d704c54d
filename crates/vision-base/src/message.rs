//! Formats user-supplied names and texts for messages: on one line, and of limited length.

use std::any::Any;
use std::ffi::OsStr;

/// Longest path in a message, in characters.
const MOST_OF_A_PATH: usize = 1000;
/// Longest label or table cell in a message, in characters.
const MOST_OF_A_NAME: usize = 200;
/// Longest list of names in a message.
const MOST_NAMES: usize = 10;

/// Formats a path or another long text. Empty text becomes a pair of quotes; terminal control
/// characters are escaped.
pub fn shown(text: impl AsRef<OsStr>) -> String {
    match text.as_ref().to_string_lossy() {
        text if text.is_empty() => "\"\"".to_owned(),
        text => cut(&text, MOST_OF_A_PATH, escaped),
    }
}

/// Formats a label or table cell, in quotes.
pub fn quoted(text: &str) -> String {
    cut(text, MOST_OF_A_NAME, |text| format!("{text:?}"))
}

/// Formats a label or table cell, in quotes, in ASCII: other characters are escaped as `\u{..}`. For names
/// that print alike.
pub fn spelled(text: &str) -> String {
    cut(text, MOST_OF_A_NAME, |text| {
        format!("\"{}\"", text.escape_default())
    })
}

/// Formats a label or another short name, without quotes.
pub fn named(text: &str) -> String {
    cut(text, MOST_OF_A_NAME, escaped)
}

/// The first names, separated by commas, and the number of the remaining ones.
pub fn listed<T: AsRef<str>>(names: impl ExactSizeIterator<Item = T>) -> String {
    joined(names.map(|name| named(name.as_ref())))
}

/// Like [`listed`], for names that are already formatted.
pub fn joined(names: impl ExactSizeIterator<Item = String>) -> String {
    let more = names.len().saturating_sub(MOST_NAMES);
    let first: Vec<String> = names.take(MOST_NAMES).collect();
    match (first.is_empty(), more) {
        (true, _) => "none".to_owned(),
        (false, 0) => first.join(", "),
        (false, more) => format!("{} and {more} more", first.join(", ")),
    }
}

/// Cuts the text to `most` characters and appends its full length if something was cut.
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

/// The text on one line, without characters that are not [printable](is_printable).
pub fn printable(text: &str) -> String {
    let visible = |c: char| match c {
        c if is_printable(c) => c,
        '\t' | '\n' | '\r' => ' ',
        _ => char::REPLACEMENT_CHARACTER,
    };
    text.chars().map(visible).collect()
}

/// Bytes as hexadecimal digits, as hashes are written.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The message of a panic that was caught.
pub fn panic_message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("it panicked").to_owned()
}

/// Whether a character is safe to print: it does not control a terminal, break a line, change the
/// text direction, and is allowed in XML.
pub fn is_printable(c: char) -> bool {
    let turns = matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let breaks = matches!(c, '\u{2028}' | '\u{2029}');
    !(c.is_control() || turns || breaks || matches!(c, '\u{fffe}' | '\u{ffff}'))
}
