//! Figures: drawings with images, lines and text, saved as PNG or SVG.

use std::path::Path;

use image::RgbImage;
use vision_base::message::printable;
use vision_base::{OptionError, atomic};

use crate::color::Rgb;
use crate::error::{Error, Result};
use crate::shape::{Area, Drawing, Shape};
use crate::text::Text;
use crate::{png, raster, svg};

/// Largest number of pixels: 100 megapixels are 300 MB.
const MOST_PIXELS: u64 = 100_000_000;

/// A drawing of shapes, images and text, to be saved as PNG or SVG.
///
/// Lengths are in pixels of the SVG. The PNG has [`scale`](Self::with_scale) times as many in each
/// direction.
#[derive(Clone, Debug)]
pub struct Figure {
    drawing: Drawing,
}

impl Figure {
    /// A white figure. `title` is not drawn; it is for screen readers and for readers of the SVG's
    /// source.
    ///
    /// # Errors
    ///
    /// [`Error::TooLarge`] beyond 100 megapixels.
    pub fn new(title: &str, width: f32, height: f32) -> Result<Self> {
        let drawing = Drawing {
            title: printable(title),
            width: width.ceil(),
            height: height.ceil(),
            scale: 1.0,
            shapes: Vec::new(),
        };
        Self { drawing }.with_scale(1.0)
    }

    /// The figures below each other, as one. `title` as in [`new`](Self::new).
    ///
    /// # Errors
    ///
    /// [`Error::NothingToDraw`] without figures, [`Error::TooLarge`] beyond 100 megapixels.
    pub fn stacked(title: &str, figures: impl IntoIterator<Item = Self>) -> Result<Self> {
        let figures: Vec<Self> = figures.into_iter().collect();
        if figures.is_empty() {
            let what = "there are no figures to put below each other";
            return Err(Error::NothingToDraw { what });
        }
        let width = figures.iter().map(Self::width).fold(0.0, f32::max);
        let height = figures.iter().map(Self::height).sum();
        let mut all = Self::new(title, width, height)?;
        let mut down = 0.0;
        for figure in figures {
            let below = down + figure.height();
            let shapes = figure.drawing.shapes.into_iter();
            all.drawing
                .shapes
                .extend(shapes.map(|shape| shape.lowered(down)));
            down = below;
        }
        Ok(all)
    }

    /// Sets the resolution of the PNG: 2 gives twice as many pixels in each direction. Default: 1.
    ///
    /// # Errors
    ///
    /// [`Error::Option`] if `scale` is not from 0.1 to 10, [`Error::TooLarge`] beyond 100
    /// megapixels.
    pub fn with_scale(mut self, scale: f32) -> Result<Self> {
        if !(0.1..=10.0).contains(&scale) {
            let expected = "a number from 0.1 to 10";
            return Err(Error::Option(OptionError::new(
                "scale",
                expected,
                scale.to_string(),
            )));
        }
        self.drawing.scale = scale;
        let pixels = |length: f32| (length * scale).round() as u64;
        let (width, height) = (pixels(self.drawing.width), pixels(self.drawing.height));
        if width.saturating_mul(height) > MOST_PIXELS {
            return Err(Error::TooLarge {
                width,
                height,
                limit: MOST_PIXELS,
            });
        }
        Ok(self)
    }

    /// Width in pixels, at scale 1.
    pub fn width(&self) -> f32 {
        self.drawing.width
    }

    /// Height in pixels, at scale 1.
    pub fn height(&self) -> f32 {
        self.drawing.height
    }

    /// The figure as an SVG document. Text stays text, in DejaVu Sans or Verdana.
    pub fn to_svg(&self) -> String {
        svg::write(&self.drawing)
    }

    /// The figure as pixels.
    pub fn to_rgb_image(&self) -> RgbImage {
        raster::draw(&self.drawing)
    }

    /// The figure as a PNG file.
    ///
    /// # Errors
    ///
    /// [`Error::Encode`] if the encoder refuses.
    pub fn to_png(&self) -> Result<Vec<u8>> {
        png::encode(&self.to_rgb_image())
    }

    /// Saves the figure as PNG or SVG, depending on the extension of the path. The file is written
    /// atomically, and replaces an existing one.
    ///
    /// A PNG has the glyphs of DejaVu Sans: Latin, Greek, Cyrillic, Armenian and Georgian, and
    /// those of Hebrew and Arabic as single letters from left to right. Other scripts, such as
    /// Chinese, Japanese, Korean, Thai and Hindi, become empty boxes. An SVG keeps the text and
    /// uses the fonts of its viewer: choose SVG for names in such a script.
    ///
    /// # Errors
    ///
    /// [`Error::Extension`] for other extensions, [`Error::Io`] if the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        let extension = path.extension().unwrap_or_default().to_string_lossy();
        let bytes = match extension.to_lowercase().as_str() {
            "png" => self.to_png()?,
            "svg" => self.to_svg().into_bytes(),
            _ => {
                let found = extension.into_owned();
                return Err(Error::Extension {
                    path: path.to_owned(),
                    found,
                });
            }
        };
        Ok(atomic::write(path, &bytes)?)
    }

    /// Adds a filled rectangle. The part beyond the edge of the figure is cut off.
    pub fn rect(&mut self, x: f32, y: f32, width: f32, height: f32, fill: Rgb) {
        let clip = |start: f32, length: f32, end: f32| {
            let (from, to) = (start.max(0.0), (start + length).min(end));
            (start <= end && start + length >= 0.0).then_some((from, (to - from).max(0.0)))
        };
        let across = clip(x, width, self.drawing.width);
        if let (Some((x, width)), Some((y, height))) =
            (across, clip(y, height, self.drawing.height))
        {
            let area = Area {
                x,
                y,
                width,
                height,
            };
            self.drawing.shapes.push(Shape::Rect { area, fill });
        }
    }

    /// Adds the outline of a rectangle, one pixel wide, just outside it.
    pub fn frame(&mut self, area: Area, color: Rgb) {
        let Area {
            x,
            y,
            width,
            height,
        } = area;
        self.rect(x - 1.0, y - 1.0, width + 2.0, 1.0, color);
        self.rect(x - 1.0, y + height, width + 2.0, 1.0, color);
        self.rect(x - 1.0, y, 1.0, height, color);
        self.rect(x + width, y, 1.0, height, color);
    }

    /// Adds a line through all points, with round ends and joints. A single point is a dot.
    pub fn line(&mut self, points: Vec<(f32, f32)>, width: f32, color: Rgb) {
        self.drawing.shapes.push(Shape::Line {
            points,
            width,
            color,
        });
    }

    /// Adds a line of text. Its size is limited to that of the figure; without a size above 0, or a finite place, it
    /// is left out.
    pub fn text(&mut self, text: Text) {
        let size = text.size.min(self.drawing.width.max(self.drawing.height));
        if text.size > 0.0 && [text.x, text.y, size].iter().all(|x| x.is_finite()) {
            self.drawing.shapes.push(Shape::Text(Text { size, ..text }));
        }
    }

    /// Adds an image, stretched to the area. The area is limited to the size of the figure.
    /// Enlarged pixels stay sharp squares.
    pub fn image(&mut self, area: Area, pixels: RgbImage) {
        let area = Area {
            width: area.width.min(self.drawing.width),
            height: area.height.min(self.drawing.height),
            ..area
        };
        let sides = [area.x, area.y, area.width, area.height];
        // An image without pixels has nothing to stretch.
        if pixels.width() > 0 && pixels.height() > 0 && sides.iter().all(|x| x.is_finite()) {
            self.drawing.shapes.push(Shape::Image { area, pixels });
        }
    }
}
