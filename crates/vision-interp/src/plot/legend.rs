//! The legend of a chart.

use vision_figure::{Anchor, Area, Figure, Text, WHITE, shorten_apart, width};

use super::color::CYCLE;
use super::place::Taken;

/// Size of the names.
const SIZE: f32 = 11.0;

/// Draws the legend where it hides no line, as near to the upper right corner as can be: loss curves
/// leave room there. If there is no such place, it is in that corner.
pub(super) fn draw(figure: &mut Figure, area: Area, taken: &Taken, names: &[&str]) {
    let room = area.width / 2.0;
    let short = shorten_apart(names.iter().map(|name| (*name, room)), SIZE);
    let wide = short
        .iter()
        .map(|name| width(name, SIZE))
        .fold(0.0, f32::max);
    let line = SIZE + 6.0;
    let (wide, height) = (wide + 40.0, line * names.len() as f32 + 6.0);
    let corner = (area.x + area.width, area.y);
    let back = taken.near(corner, wide, height).unwrap_or(Area {
        x: area.x + area.width - 8.0 - wide,
        y: area.y + 8.0,
        width: wide,
        height,
    });
    let left = back.x;
    figure.rect(back.x, back.y, back.width, back.height, WHITE);
    figure.frame(back, [204; 3]);
    let colors = CYCLE.iter().cycle();
    for (i, ((name, short), color)) in names.iter().zip(short).zip(colors).enumerate() {
        let y = back.y + 3.0 + (i as f32 + 0.5) * line;
        figure.line(vec![(left + 8.0, y), (left + 26.0, y)], 2.5, *color);
        let text = Text::new(left + 34.0, y, SIZE, Anchor::Start, name);
        figure.text(text.shortened(short, (*name).to_owned()));
    }
}
