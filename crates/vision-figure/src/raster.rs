//! Drawing of a figure as pixels.

use image::{RgbImage, imageops};

use crate::color::{Rgb, WHITE};
use crate::font;
use crate::shape::{Area, Drawing, Shape};
use crate::text::{Anchor, Text};

pub(crate) fn draw(figure: &Drawing) -> RgbImage {
    let scale = figure.scale;
    let size = |length: f32| (length * scale).round().max(1.0) as u32;
    let (width, height) = (size(figure.width), size(figure.height));
    let mut canvas = Canvas {
        image: RgbImage::from_pixel(width, height, WHITE.into()),
        scale,
    };
    for shape in &figure.shapes {
        match shape {
            Shape::Rect { area, fill } => canvas.rect(*area, *fill),
            Shape::Line {
                points,
                width,
                color,
            } => canvas.line(points, *width, *color),
            Shape::Text(text) => canvas.text(text),
            Shape::Image { area, pixels } => canvas.image(*area, pixels),
        }
    }
    canvas.image
}

/// The pixel at a coordinate. Far beyond every figure all coordinates are one, so that sums do not overflow.
fn pixel(at: f32) -> i32 {
    const FAR: f32 = (1 << 24) as f32;
    at.round().clamp(-FAR, FAR) as i32
}

struct Canvas {
    image: RgbImage,
    scale: f32,
}

impl Canvas {
    /// Blends a color into a pixel. Does nothing beyond the edge.
    fn blend(&mut self, x: i32, y: i32, color: Rgb, coverage: f32) {
        let (Ok(x), Ok(y)) = (u32::try_from(x), u32::try_from(y)) else {
            return;
        };
        if let Some(pixel) = self.image.get_pixel_mut_checked(x, y) {
            let coverage = coverage.clamp(0.0, 1.0);
            for (old, new) in pixel.0.iter_mut().zip(color) {
                let mixed = f32::from(*old) * (1.0 - coverage) + f32::from(new) * coverage;
                *old = mixed.round() as u8;
            }
        }
    }

    /// Rounds an area to whole pixels, so that neighbors touch without a seam: (left, top, right,
    /// bottom).
    fn pixels(&self, area: Area) -> (i32, i32, i32, i32) {
        let pixel = |at: f32| pixel(at * self.scale);
        let (left, top) = (pixel(area.x), pixel(area.y));
        // A shape with a size never vanishes.
        let right = pixel(area.x + area.width).max(left + 1);
        let bottom = pixel(area.y + area.height).max(top + 1);
        (left, top, right, bottom)
    }

    fn rect(&mut self, area: Area, fill: Rgb) {
        let (left, top, right, bottom) = self.pixels(area);
        for y in top..bottom {
            for x in left..right {
                self.blend(x, y, fill, 1.0);
            }
        }
    }

    fn image(&mut self, area: Area, pixels: &RgbImage) {
        let (left, top, right, bottom) = self.pixels(area);
        let (width, height) = (right.abs_diff(left), bottom.abs_diff(top));
        let grows = width >= pixels.width() && height >= pixels.height();
        let filter = if grows {
            imageops::Nearest
        } else {
            imageops::Triangle
        };
        let resized = imageops::resize(pixels, width, height, filter);
        imageops::replace(&mut self.image, &resized, left.into(), top.into());
    }

    /// Draws a line. The coverage of a pixel follows from the distance of its center.
    fn line(&mut self, points: &[(f32, f32)], width: f32, color: Rgb) {
        let scale = |(x, y): &(f32, f32)| (x * self.scale, y * self.scale);
        let points: Vec<_> = points.iter().map(scale).collect();
        let reach = width * self.scale / 2.0 + 0.5;
        // Collect the coverage first and draw once: segments overlap at their joints.
        let (w, h) = (self.image.width() as usize, self.image.height() as usize);
        let mut coverage = vec![0.0f32; w * h];
        let next = points.iter().skip(1).chain(points.last());
        for (&a, &b) in points.iter().zip(next) {
            let span = |a: f32, b: f32, end: usize| {
                let first = (a.min(b) - reach).floor().max(0.0) as usize;
                let last = (a.max(b) + reach).ceil().max(0.0) as usize;
                first..last.min(end)
            };
            for y in span(a.1, b.1, h) {
                for x in span(a.0, b.0, w) {
                    let from = distance((x as f32 + 0.5, y as f32 + 0.5), a, b);
                    if let Some(pixel) = coverage.get_mut(y * w + x) {
                        *pixel = pixel.max(reach - from);
                    }
                }
            }
        }
        for (pixel, coverage) in coverage.into_iter().enumerate() {
            if coverage > 0.0 {
                self.blend((pixel % w) as i32, (pixel / w) as i32, color, coverage);
            }
        }
    }

    fn text(&mut self, text: &Text) {
        let size = text.size * self.scale;
        let length = font::width(&text.content, size);
        let start = match text.anchor {
            Anchor::Start => 0.0,
            Anchor::Middle => -length / 2.0,
            Anchor::End => -length,
        };
        let (along, down) = (pixel(start), pixel(text.descent() * self.scale));
        let (x, y) = (pixel(text.x * self.scale), pixel(text.y * self.scale));
        let mut dot = |u: i32, v: i32, coverage: f32| {
            let (u, v) = (u + along, v + down);
            // A quarter turn maps pixels to pixels: text runs upwards, and down becomes right.
            let (x, y) = if text.rotated {
                (x + v, y - u - 1)
            } else {
                (x + u, y + v)
            };
            self.blend(x, y, text.color, coverage);
        };
        for glyph in font::glyphs(&text.content, size) {
            match glyph {
                font::Glyph::Outline(outline) => {
                    let corner = outline.px_bounds().min;
                    let (left, top) = (corner.x as i32, corner.y as i32);
                    outline.draw(|u, v, coverage| dot(left + u as i32, top + v as i32, coverage));
                }
                font::Glyph::Missing(start, side) => {
                    let (left, right) = ((start + 0.1 * side) as i32, (start + 0.9 * side) as i32);
                    let (top, bottom) = ((-0.75 * side) as i32, (0.05 * side) as i32);
                    for u in left..right {
                        dot(u, top, 1.0);
                        dot(u, bottom, 1.0);
                    }
                    for v in top..=bottom {
                        dot(left, v, 1.0);
                        dot(right, v, 1.0);
                    }
                }
            }
        }
    }
}

/// Distance of a point from the segment between `a` and `b`.
fn distance(p: (f32, f32), a: (f32, f32), b: (f32, f32)) -> f32 {
    let ((dx, dy), (px, py)) = ((b.0 - a.0, b.1 - a.1), (p.0 - a.0, p.1 - a.1));
    let squared = dx * dx + dy * dy;
    // The nearest point on the segment, from 0 to 1. The segment may be a single point.
    let at = if squared > 0.0 {
        ((px * dx + py * dy) / squared).clamp(0.0, 1.0)
    } else {
        0.0
    };
    (px - at * dx).hypot(py - at * dy)
}
