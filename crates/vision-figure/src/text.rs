//! A line of text in a figure.

use vision_base::message::printable;

use crate::color::{BLACK, Rgb};
use crate::font;

/// The point of the text that is at its x (for rotated text: at its y).
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Anchor {
    /// Its beginning.
    Start,
    /// Its middle.
    Middle,
    /// Its end.
    End,
}

/// A line of text.
#[derive(Clone, Debug)]
#[must_use]
pub struct Text {
    /// The anchor. For rotated text: the middle of the capital letters.
    pub x: f32,
    /// The middle of the capital letters. For rotated text: the anchor.
    pub y: f32,
    /// The font size, as in CSS.
    pub size: f32,
    /// The point of the text that is at `x`.
    pub anchor: Anchor,
    /// Whether the text is rotated by a quarter turn, to be read from bottom to top.
    pub rotated: bool,
    /// The color. Default: black.
    pub color: Rgb,
    /// The text to draw.
    pub content: String,
    /// The full text, if `content` was shortened.
    pub whole: Option<String>,
}

impl Text {
    /// Black text, vertically centered on the point.
    pub fn new(x: f32, y: f32, size: f32, anchor: Anchor, content: &str) -> Self {
        Self {
            x,
            y,
            size,
            anchor,
            rotated: false,
            color: BLACK,
            content: printable(content),
            whole: None,
        }
    }

    /// Rotates the text by a quarter turn, to be read from bottom to top.
    pub fn rotated(mut self) -> Self {
        self.rotated = true;
        self
    }

    /// Sets the color.
    pub fn color(mut self, color: Rgb) -> Self {
        self.color = color;
        self
    }

    /// Shortens the text to at most `width` pixels.
    pub fn fit(self, width: f32) -> Self {
        let short = font::shorten(&self.content, self.size, width);
        let whole = self.content.clone();
        self.shortened(short, whole)
    }

    /// Replaces the content by `short`, a shorter form of `whole`.
    pub fn shortened(mut self, short: String, whole: String) -> Self {
        let (short, whole) = (printable(&short), printable(&whole));
        self.whole = (short != whole).then_some(whole);
        self.content = short;
        self
    }

    /// The distance of the baseline below the middle of the line.
    pub(crate) fn descent(&self) -> f32 {
        // Half the height of a capital, which is 0.729 of the size in DejaVu Sans.
        0.3645 * self.size
    }
}
