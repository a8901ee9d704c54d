//! The embedded font: text widths and glyph outlines.

use std::sync::OnceLock;

use ab_glyph::{Font, FontRef, OutlinedGlyph, PxScale, point};
use vision_base::shorten;

/// The embedded font, then a font of the same width that most systems have.
pub(crate) const FAMILY: &str = "DejaVu Sans, Verdana, sans-serif";

fn font() -> &'static FontRef<'static> {
    static FONT: OnceLock<FontRef<'static>> = OnceLock::new();
    #[expect(
        clippy::expect_used,
        reason = "the font is compiled in, and every test draws with it"
    )]
    FONT.get_or_init(|| FontRef::try_from_slice(dejavu::sans::regular()).expect("a whole font"))
}

/// The width of a line of text of this size, in pixels.
pub fn width(text: &str, size: f32) -> f32 {
    text.chars().map(|c| advance(c, size)).sum()
}

/// The distance from the start of a character to the start of the next.
fn advance(c: char, size: f32) -> f32 {
    let glyph = font().glyph_id(c);
    if glyph.0 == 0 {
        // Missing glyphs are mostly Chinese, Japanese or Korean, where each character fills a
        // square. The fonts of an SVG viewer may have them.
        return size;
    }
    font().h_advance_unscaled(glyph) / units() * size
}

#[expect(clippy::expect_used, reason = "the font is ours")]
fn units() -> f32 {
    font().units_per_em().expect("DejaVu Sans has an em")
}

/// The text, or as much of its start as fits into `room` together with an ellipsis.
pub fn shorten(text: &str, size: f32, room: f32) -> String {
    shorten::end(text, room, |c| advance(c, size))
}

/// The text, or an ellipsis and as much of its end as fits into `room`.
pub fn shorten_start(text: &str, size: f32, room: f32) -> String {
    shorten::start(text, room, |c| advance(c, size))
}

/// The text, or as much of its start and its end as fits into `room` with an ellipsis between.
pub fn shorten_middle(text: &str, size: f32, room: f32) -> String {
    shorten::middle(text, room, |c| advance(c, size))
}

/// Shortens names, each to its own room, so that no two different names read the same.
pub fn shorten_apart<'a>(
    names: impl IntoIterator<Item = (&'a str, f32)>,
    size: f32,
) -> Vec<String> {
    shorten::apart(names, |c| advance(c, size))
}

/// One glyph of a line of text.
pub(crate) enum Glyph {
    Outline(OutlinedGlyph),
    /// A glyph that the font lacks: the start of its square, and the side.
    Missing(f32, f32),
}

/// The glyphs of a line of text that starts at the origin of the baseline; y grows downwards.
pub(crate) fn glyphs(text: &str, size: f32) -> impl Iterator<Item = Glyph> {
    let mut x = 0.0;
    // ab_glyph measures the height of a line; this crate, like CSS, measures the size of an em.
    let scale = PxScale::from(size * font().height_unscaled() / units());
    text.chars().filter_map(move |c| {
        let start = x;
        x += advance(c, size);
        let glyph = font().glyph_id(c);
        if glyph.0 == 0 {
            return Some(Glyph::Missing(start, size));
        }
        let glyph = glyph.with_scale_and_position(scale, point(start, 0.0));
        // Spaces have no outline.
        font().outline_glyph(glyph).map(Glyph::Outline)
    })
}
