//! The shapes in a figure.

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
    /// Width.
    pub width: f32,
    /// Height.
    pub height: f32,
}

/// A shape to draw.
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
        color: Rgb,
    },
    Text(Text),
    /// An image stretched to the area. Enlarged pixels stay sharp squares.
    Image {
        area: Area,
        pixels: RgbImage,
    },
}

impl Shape {
    /// The shape, moved downwards.
    pub(crate) fn lowered(self, by: f32) -> Self {
        let lower = |area: Area| Area {
            y: area.y + by,
            ..area
        };
        match self {
            Self::Rect { area, fill } => Self::Rect {
                area: lower(area),
                fill,
            },
            Self::Line {
                points,
                width,
                color,
            } => Self::Line {
                points: points.into_iter().map(|(x, y)| (x, y + by)).collect(),
                width,
                color,
            },
            Self::Text(text) => Self::Text(Text {
                y: text.y + by,
                ..text
            }),
            Self::Image { area, pixels } => Self::Image {
                area: lower(area),
                pixels,
            },
        }
    }
}

/// The contents of a figure, for the renderers.
#[derive(Clone, Debug)]
pub(crate) struct Drawing {
    pub(crate) title: String,
    pub(crate) width: f32,
    pub(crate) height: f32,
    pub(crate) scale: f32,
    pub(crate) shapes: Vec<Shape>,
}
