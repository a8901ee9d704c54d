//! One line of text in a figure.

use vision_base::message::printable;

use crate::color::{BLACK, Rgb};
use crate::font;

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
    pub(crate) fn descent(&self) -> f32 {
        // Half the height of a capital, which is 0.729 of the size in DejaVu Sans.
        0.3645 * self.size
    }
}
