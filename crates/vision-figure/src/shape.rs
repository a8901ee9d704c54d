//! What a figure is made of.

use image::RgbImage;

use crate::color::Rgb;
use crate::text::Text;

/// A rectangle; x grows to the right and y downwards.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Area {
    /// Left edge.
    pub x: f32,
    /// Upper edge.
    pub y: f32,
    /// To the right.
    pub width: f32,
    /// Downwards.
    pub height: f32,
}

/// One thing to draw.
#[derive(Clone, Debug)]
pub(crate) enum Shape {
    Rect {
        area: Area,
        fill: Rgb,
    },
    /// A line through all points, with round ends and joints. A single point is a dot.
    Line {
        points: Vec<(f32, f32)>,
        width: f32,
        colour: Rgb,
    },
    Text(Text),
    /// A picture stretched to the area: its pixels stay sharp squares when it grows.
    Image {
        area: Area,
        pixels: RgbImage,
    },
}

/// Everything that a figure shows, for those who draw it.
#[derive(Clone, Debug)]
pub(crate) struct Drawing {
    pub(crate) title: String,
    pub(crate) width: f32,
    pub(crate) height: f32,
    pub(crate) scale: f32,
    pub(crate) shapes: Vec<Shape>,
}
