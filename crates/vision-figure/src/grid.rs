//! Pictures with titles, side by side.

use std::fmt;
use std::sync::Arc;

use image::{RgbImage, imageops};
use vision_base::OptionError;

use crate::color::GREY;
use crate::error::{Error, Result};
use crate::figure::Figure;
use crate::font;
use crate::shape::Area;
use crate::text::{Anchor, Text};

/// Size of the titles of pictures, and of the title above all.
const TITLE: f32 = 12.0;
const SUPTITLE: f32 = 16.0;
/// Between pictures.
const GAP: f32 = 14.0;
const MARGIN: f32 = 12.0;

/// Pictures with titles in a square: as many columns as rows, or one more.
///
/// Small pictures are enlarged by a whole factor with sharp pixels, large ones scaled down to the cell.
///
/// ```
/// use image::RgbImage;
/// use vision_figure::ImageGrid;
///
/// let grid = ImageGrid::new()
///     .with_image(RgbImage::new(28, 28), "3")
///     .with_image(RgbImage::new(28, 28), "7");
/// assert!(grid.plot()?.to_svg().contains(">7</text>"));
/// # Ok::<(), vision_figure::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct ImageGrid {
    title: String,
    cell_size: f32,
    columns: Option<usize>,
    cells: Vec<(RgbImage, Arc<dyn Caption>)>,
}

/// What stands above a picture of an [`ImageGrid`]: a string, or something that knows better which
/// part of it to shorten.
pub trait Caption: fmt::Debug + Send + Sync {
    /// All of it.
    fn whole(&self) -> String;

    /// As much of it as fits into `room`, in text of this size.
    fn fit(&self, room: f32, size: f32) -> String {
        font::shorten(&self.whole(), size, room)
    }
}

impl Caption for String {
    fn whole(&self) -> String {
        self.clone()
    }
}

impl Default for ImageGrid {
    fn default() -> Self {
        Self::new()
    }
}

impl ImageGrid {
    /// No pictures yet, no title, cells of 168 pixels.
    pub fn new() -> Self {
        // 168 is 6 times 28, and three quarters of 224.
        Self {
            title: String::new(),
            cell_size: 168.0,
            columns: None,
            cells: Vec::new(),
        }
    }

    /// The title above all pictures. Default none.
    pub fn with_title(mut self, title: impl Into<String>) -> Self {
        self.title = title.into();
        self
    }

    /// Largest width and height of a picture, in pixels. Default 168.
    pub fn with_cell_size(mut self, pixels: f32) -> Self {
        self.cell_size = pixels;
        self
    }

    /// Number of columns. Default: the root of the number of pictures, rounded up.
    pub fn with_columns(mut self, columns: usize) -> Self {
        self.columns = Some(columns);
        self
    }

    /// Adds a picture with a title, whose end is cut off where there is no room for it.
    pub fn with_image(self, image: RgbImage, title: impl Into<String>) -> Self {
        self.with_caption(image, title.into())
    }

    /// Adds a picture with a title that shortens itself.
    pub fn with_caption(mut self, image: RgbImage, caption: impl Caption + 'static) -> Self {
        // Reduced at once: hundreds of photographs at full size would fill the memory.
        let image = self.reduced(image);
        self.cells.push((image, Arc::new(caption)));
        self
    }

    /// At most twice as large as the cell, which leaves something for a larger scale.
    fn reduced(&self, image: RgbImage) -> RgbImage {
        let most = 2.0 * self.cell_size.clamp(1.0, 10_000.0);
        let longest = image.width().max(image.height()) as f32;
        if longest <= most {
            return image;
        }
        let length = |length: u32| ((length as f32 * most / longest).round() as u32).max(1);
        let (width, height) = (length(image.width()), length(image.height()));
        imageops::resize(&image, width, height, imageops::Triangle)
    }

    /// Draws the pictures.
    ///
    /// # Errors
    ///
    /// [`Error::NothingToDraw`] without pictures, [`Error::Option`] for a cell size or number of columns that
    /// makes no sense, [`Error::TooLarge`] for too many pictures.
    pub fn plot(&self) -> Result<Figure> {
        if !(1.0..=10_000.0).contains(&self.cell_size) {
            return Err(Error::Option(OptionError::new(
                "cell_size",
                "a number of pixels from 1 to 10000",
                self.cell_size.to_string(),
            )));
        }
        if self.cells.is_empty() {
            return Err(Error::NothingToDraw {
                what: "there are no pictures, add or ask for at least one",
            });
        }
        if self.columns == Some(0) {
            let found = "0".to_owned();
            return Err(Error::Option(OptionError::new(
                "columns",
                "at least 1",
                found,
            )));
        }
        let count = self.cells.len();
        let square = (count as f64).sqrt().ceil() as usize;
        let columns = self.columns.unwrap_or(square).clamp(1, count);
        let rows = count.div_ceil(columns);

        // Wider than the pictures if the titles need it, but not without limit.
        let titles = self
            .cells
            .iter()
            .map(|(_, caption)| font::width(&caption.whole(), TITLE));
        let widest = titles.fold(0.0, f32::max);
        let cell = widest.clamp(self.cell_size, (1.6 * self.cell_size).max(230.0));
        let (across, down) = (cell + GAP, self.cell_size + TITLE + 6.0 + GAP);
        let top = if self.title.is_empty() {
            MARGIN
        } else {
            MARGIN + SUPTITLE + 14.0
        };
        let total = 2.0 * MARGIN - GAP + columns as f32 * across;
        // A grid of one small picture still has room for what stands above it.
        let total = total.max(font::width(&self.title, SUPTITLE).min(400.0) + 2.0 * MARGIN);
        let left = (total - (columns as f32 * across - GAP)) / 2.0;
        let height = top + rows as f32 * down - GAP + MARGIN;

        let mut figure = Figure::new(&self.title, total, height)?;
        if !self.title.is_empty() {
            let (x, y) = (total / 2.0, MARGIN + SUPTITLE / 2.0);
            let title = Text::new(x, y, SUPTITLE, Anchor::Middle, &self.title);
            figure.text(title.fit(total - 2.0 * MARGIN));
        }
        for (i, (image, caption)) in self.cells.iter().enumerate() {
            let x = left + (i % columns) as f32 * across + cell / 2.0;
            let y = top + (i / columns) as f32 * down;
            let whole = caption.whole();
            let text = Text::new(x, y + TITLE / 2.0, TITLE, Anchor::Middle, &whole);
            figure.text(text.shortened(caption.fit(cell, TITLE), whole));
            let area = self.fitted(image, x, y + TITLE + 6.0);
            figure.frame(area, GREY);
            figure.image(area, image.clone());
        }
        Ok(figure)
    }

    /// The area of a picture in the cell whose upper edge has its middle at (x, y).
    fn fitted(&self, image: &RgbImage, x: f32, y: f32) -> Area {
        let (w, h) = (image.width().max(1) as f32, image.height().max(1) as f32);
        let factor = self.cell_size / w.max(h);
        // Pixels that are all of the same size look like pixels; others look like a fault.
        let factor = if factor >= 1.0 {
            factor.floor()
        } else {
            factor
        };
        let (width, height) = ((w * factor).max(1.0), (h * factor).max(1.0));
        let y = y + (self.cell_size - height) / 2.0;
        Area {
            x: (x - width / 2.0).round(),
            y: y.round(),
            width,
            height,
        }
    }
}
