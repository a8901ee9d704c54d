//! One line of text in a figure.

use crate::figure::{BLACK, Rgb, font};

/// Which part of the text is at its x (for rotated text: at its y).
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Anchor {
    /// Its beginning.
    Start,
    /// Its middle.
    Middle,
    /// Its end.
    End,
}

/// One line of text.
#[derive(Clone, Debug)]
#[must_use]
pub struct Text {
    /// The anchor (for rotated text: where capitals have their middle).
    pub x: f32,
    /// Where capitals have their middle, or for rotated text, the anchor.
    pub y: f32,
    /// Height of a capital plus its surroundings: what CSS calls font-size.
    pub size: f32,
    /// Which part of it is at `x`.
    pub anchor: Anchor,
    /// Turned by a quarter, to be read from bottom to top.
    pub rotated: bool,
    /// Its colour; black unless said.
    pub colour: Rgb,
    /// What is drawn.
    pub content: String,
    /// The whole text, if `content` had to be shortened.
    pub whole: Option<String>,
}

impl Text {
    /// Black text whose line is centred on the point.
    pub fn new(x: f32, y: f32, size: f32, anchor: Anchor, content: &str) -> Self {
        Self {
            x,
            y,
            size,
            anchor,
            rotated: false,
            colour: BLACK,
            content: printable(content),
            whole: None,
        }
    }

    /// Turned by a quarter, to be read from bottom to top.
    pub fn rotated(mut self) -> Self {
        self.rotated = true;
        self
    }

    /// In another colour.
    pub fn colour(mut self, colour: Rgb) -> Self {
        self.colour = colour;
        self
    }

    /// Shortened so that it is at most `width` wide.
    pub fn fit(self, width: f32) -> Self {
        let short = font::shorten(&self.content, self.size, width);
        let whole = self.content.clone();
        self.shortened(short, whole)
    }

    /// With another, shorter content, which stands for `whole`.
    pub fn shortened(mut self, short: String, whole: String) -> Self {
        let (short, whole) = (printable(&short), printable(&whole));
        self.whole = (short != whole).then_some(whole);
        self.content = short;
        self
    }

    /// How far the baseline is below the middle of the line.
    pub(super) fn descent(&self) -> f32 {
        // Half the height of a capital, which is 0.729 of the size in DejaVu Sans.
        0.3645 * self.size
    }
}

/// Text on one line: without characters that are not [printable](is_printable).
pub(crate) fn printable(text: &str) -> String {
    let visible = |c: char| match c {
        c if is_printable(c) => c,
        '\t' | '\n' | '\r' => ' ',
        _ => char::REPLACEMENT_CHARACTER,
    };
    text.chars().map(visible).collect()
}

/// Whether a character is none that controls a terminal, breaks a line, turns the direction of what
/// follows it, or is forbidden in XML.
pub(crate) fn is_printable(c: char) -> bool {
    let turns = matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let breaks = matches!(c, '\u{2028}' | '\u{2029}');
    !(c.is_control() || turns || breaks || matches!(c, '\u{fffe}' | '\u{ffff}'))
}
