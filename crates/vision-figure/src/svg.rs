//! Drawing of a figure as an SVG document.

use std::fmt::Write;

use image::{RgbImage, imageops};

use crate::color::Rgb;
use crate::shape::{Area, Drawing, Shape};
use crate::text::{Anchor, Text};
use crate::{font, png};

pub(crate) fn write(figure: &Drawing) -> String {
    let (width, height) = (number(figure.width), number(figure.height));
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\" font-family=\"{}\" role=\"img\">\n\
         <title>{}</title>\n\
         <rect width=\"{width}\" height=\"{height}\" fill=\"#ffffff\"/>\n",
        font::FAMILY,
        escape(&figure.title),
    );
    for shape in &figure.shapes {
        // Writing to a string cannot fail.
        let _ = match shape {
            Shape::Rect { area, fill } => writeln!(
                svg,
                "<rect {} fill=\"{}\" shape-rendering=\"crispEdges\"/>",
                attributes(*area),
                color(*fill)
            ),
            Shape::Line {
                points,
                width,
                color,
            } => line(&mut svg, points, *width, *color),
            Shape::Text(content) => text(&mut svg, content),
            Shape::Image { area, pixels } => image(&mut svg, *area, pixels),
        };
    }
    svg.push_str("</svg>\n");
    svg
}

fn line(svg: &mut String, points: &[(f32, f32)], width: f32, stroke: Rgb) -> std::fmt::Result {
    write!(
        svg,
        "<polyline fill=\"none\" stroke=\"{}\" stroke-width=\"{}\" stroke-linecap=\"round\" \
         stroke-linejoin=\"round\" points=\"",
        color(stroke),
        number(width)
    )?;
    // Repeat the last point: a polyline of one point is not drawn, but a segment of length 0 is a
    // dot.
    for (x, y) in points.iter().chain(points.last()) {
        write!(svg, "{},{} ", number(*x), number(*y))?;
    }
    svg.truncate(svg.trim_end().len());
    writeln!(svg, "\"/>")
}

fn text(svg: &mut String, text: &Text) -> std::fmt::Result {
    let anchor = match text.anchor {
        Anchor::Start => "start",
        Anchor::Middle => "middle",
        Anchor::End => "end",
    };
    let (x, y) = (number(text.x), number(text.y));
    write!(
        svg,
        "<text x=\"{x}\" y=\"{y}\" dy=\"{}\" font-size=\"{}\" text-anchor=\"{anchor}\" fill=\"{}\"",
        number(text.descent()),
        number(text.size),
        color(text.color)
    )?;
    if text.rotated {
        write!(svg, " transform=\"rotate(-90 {x} {y})\"")?;
    }
    write!(svg, ">")?;
    if let Some(whole) = &text.whole {
        // Browsers show this when the mouse is over the text.
        write!(svg, "<title>{}</title>", escape(whole))?;
    }
    writeln!(svg, "{}</text>", escape(&text.content))
}

fn image(svg: &mut String, area: Area, pixels: &RgbImage) -> std::fmt::Result {
    // Viewers that do not know `pixelated` blur enlarged images. So the file has all the pixels it
    // needs, in equal blocks, which compress to little more than the original.
    let factor = |length: f32, pixels: u32| (length / pixels as f32).round().max(1.0) as u32;
    let (across, down) = (
        factor(area.width, pixels.width()),
        factor(area.height, pixels.height()),
    );
    let (width, height) = (pixels.width() * across, pixels.height() * down);
    let blocks = imageops::resize(pixels, width, height, imageops::Nearest);
    let Ok(png) = png::encode(&blocks) else {
        // Encoding to memory does not fail for an image that has pixels. If it did, the image would
        // be missing from the figure.
        return Ok(());
    };
    let style = " style=\"image-rendering:optimizeSpeed;image-rendering:pixelated\"";
    writeln!(
        svg,
        "<image {} preserveAspectRatio=\"none\"{} href=\"data:image/png;base64,{}\"/>",
        attributes(area),
        if across > 1 && down > 1 { style } else { "" },
        base64(&png)
    )
}

fn attributes(area: Area) -> String {
    let Area {
        x,
        y,
        width,
        height,
    } = area;
    let (x, y, width, height) = (number(x), number(y), number(width), number(height));
    format!("x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\"")
}

fn color([red, green, blue]: Rgb) -> String {
    format!("#{red:02x}{green:02x}{blue:02x}")
}

/// Formats a number with at most two decimals, without trailing zeros.
fn number(value: f32) -> String {
    let rounded = (f64::from(value) * 100.0).round() / 100.0;
    // Adding 0 turns -0 into 0.
    (rounded + 0.0).to_string()
}

/// Escapes text for use between tags and in attributes, in XML and in HTML.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}

/// Base64 of RFC 4648, section 4.
pub fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |at: usize| u32::from(chunk.get(at).copied().unwrap_or(0));
        let group = byte(0) << 16 | byte(1) << 8 | byte(2);
        for digit in 0..4 {
            let index = group >> (18 - 6 * digit) & 63;
            text.push(match digit <= chunk.len() {
                true => char::from(DIGITS[index as usize]),
                false => '=',
            });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_gives_the_test_vectors_of_rfc_4648() {
        for (bytes, text) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
    }

    #[test]
    fn numbers_are_short() {
        let cases = [(1.0, "1"), (-0.001, "0"), (2.5, "2.5"), (1.0 / 3.0, "0.33")];
        assert_eq!(
            cases.map(|(value, _)| number(value)),
            cases.map(|(_, text)| text.to_owned())
        );
    }
}
