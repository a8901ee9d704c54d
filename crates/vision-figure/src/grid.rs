//! Grids of images with titles.

use std::fmt;
use std::sync::Arc;

use image::{RgbImage, imageops};
use vision_base::OptionError;

use crate::color::GRAY;
use crate::error::{Error, Result};
use crate::figure::Figure;
use crate::font;
use crate::shape::Area;
use crate::text::{Anchor, Text};

/// Size of the titles of images, and of the title of the grid.
const TITLE: f32 = 12.0;
/// Distance of the lines of a title.
const LINE: f32 = 16.0;
const SUPTITLE: f32 = 16.0;
/// Gap between images.
const GAP: f32 = 14.0;
const MARGIN: f32 = 12.0;

/// Images with titles in a square grid: as many columns as rows, or one more.
///
/// Small images are enlarged by a whole factor, so their pixels stay sharp. Large images are scaled
/// down to the cell.
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

/// The caption above an image of an [`ImageGrid`]: a string, or a type that decides itself how to
/// shorten its lines.
pub trait Caption: fmt::Debug + Send + Sync {
    /// The lines with their full text.
    fn whole(&self) -> Vec<String>;

    /// The same number of lines, shortened to fit into `room` at this font size.
    fn fit(&self, room: f32, size: f32) -> Vec<String> {
        let lines = self.whole();
        lines
            .iter()
            .map(|line| font::shorten(line, size, room))
            .collect()
    }
}

impl Caption for String {
    fn whole(&self) -> Vec<String> {
        vec![self.clone()]
    }
}

impl Default for ImageGrid {
    fn default() -> Self {
        Self::new()
    }
}

impl ImageGrid {
    /// An empty grid without a title, with cells of 168 pixels.
    pub fn new() -> Self {
        // 168 is 6 times 28, and three quarters of 224.
        Self {
            title: String::new(),
            cell_size: 168.0,
            columns: None,
            cells: Vec::new(),
        }
    }

    /// The title of the grid. Default: none.
    pub fn with_title(mut self, title: impl Into<String>) -> Self {
        self.title = title.into();
        self
    }

    /// Largest width and height of an image, in pixels. Default: 168.
    pub fn with_cell_size(mut self, pixels: f32) -> Self {
        self.cell_size = pixels;
        self
    }

    /// Number of columns. Default: the square root of the number of images, rounded up.
    pub fn with_columns(mut self, columns: usize) -> Self {
        self.columns = Some(columns);
        self
    }

    /// Adds an image with a title. The end of the title is cut off if it does not fit.
    pub fn with_image(self, image: RgbImage, title: impl Into<String>) -> Self {
        self.with_caption(image, title.into())
    }

    /// Adds an image with a caption that shortens itself.
    pub fn with_caption(mut self, image: RgbImage, caption: impl Caption + 'static) -> Self {
        // Scale down at once: hundreds of photos at full size would fill the memory.
        let image = self.reduced(image);
        self.cells.push((image, Arc::new(caption)));
        self
    }

    /// Reduces an image to at most twice the size of the cell, which leaves some resolution for a
    /// larger scale.
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

    /// Draws the grid.
    ///
    /// # Errors
    ///
    /// [`Error::NothingToDraw`] without images, [`Error::Option`] for an invalid cell size or
    /// number of columns, [`Error::TooLarge`] for too many images.
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
                what: "there are no images; add or request at least one",
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

        // Wider than the images if the titles need it, within a limit.
        let wholes: Vec<_> = self
            .cells
            .iter()
            .map(|(_, caption)| caption.whole())
            .collect();
        let lines = wholes.iter().flatten().map(|line| font::width(line, TITLE));
        let widest = lines.fold(0.0, f32::max);
        let titles = LINE * wholes.iter().map(Vec::len).max().unwrap_or(0) as f32 + 2.0;
        let cell = widest.clamp(self.cell_size, (1.6 * self.cell_size).max(230.0));
        let (across, down) = (cell + GAP, self.cell_size + titles + GAP);
        let top = if self.title.is_empty() {
            MARGIN
        } else {
            MARGIN + SUPTITLE + 14.0
        };
        let total = 2.0 * MARGIN - GAP + columns as f32 * across;
        // Leave room for the title even above a grid of one small image.
        let total = total.max(font::width(&self.title, SUPTITLE).min(400.0) + 2.0 * MARGIN);
        let left = (total - (columns as f32 * across - GAP)) / 2.0;
        let height = top + rows as f32 * down - GAP + MARGIN;

        let mut figure = Figure::new(&self.title, total, height)?;
        if !self.title.is_empty() {
            let (x, y) = (total / 2.0, MARGIN + SUPTITLE / 2.0);
            let title = Text::new(x, y, SUPTITLE, Anchor::Middle, &self.title);
            figure.text(title.fit(total - 2.0 * MARGIN));
        }
        for (i, ((image, caption), wholes)) in self.cells.iter().zip(wholes).enumerate() {
            let x = left + (i % columns) as f32 * across + cell / 2.0;
            let y = top + (i / columns) as f32 * down;
            for (line, (short, whole)) in
                caption.fit(cell, TITLE).into_iter().zip(wholes).enumerate()
            {
                let y = y + TITLE / 2.0 + line as f32 * LINE;
                let text = Text::new(x, y, TITLE, Anchor::Middle, &whole);
                figure.text(text.shortened(short, whole));
            }
            let area = self.fitted(image, x, y + titles);
            figure.frame(area, GRAY);
            figure.image(area, image.clone());
        }
        Ok(figure)
    }

    /// The area of an image in the cell whose upper edge has its middle at (x, y).
    fn fitted(&self, image: &RgbImage, x: f32, y: f32) -> Area {
        let (w, h) = (image.width().max(1) as f32, image.height().max(1) as f32);
        let factor = self.cell_size / w.max(h);
        // Equally large pixels look like pixels; unequal ones look like a defect.
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
