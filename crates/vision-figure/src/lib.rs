//! Figures: drawings with images, lines and text, saved as PNG or SVG.
//!
//! ```
//! use image::RgbImage;
//! use vision_figure::ImageGrid;
//!
//! let grid = ImageGrid::new()
//!     .with_image(RgbImage::new(28, 28), "3")
//!     .with_image(RgbImage::new(28, 28), "7");
//! assert!(grid.plot()?.to_svg().contains(">7</text>"));
//! # Ok::<(), vision_figure::Error>(())
//! ```

// A line that cannot be written must not end a program: `vision_base::console` prints.
#![cfg_attr(not(test), warn(clippy::print_stdout, clippy::print_stderr))]

mod color;
mod error;
mod figure;
mod font;
mod grid;
mod png;
mod raster;
mod shape;
mod svg;
mod text;

pub use crate::color::{BLACK, GRAY, Rgb, WHITE};
pub use crate::error::{Error, Result};
pub use crate::figure::Figure;
pub use crate::font::{shorten, shorten_apart, shorten_middle, shorten_start, width};
pub use crate::grid::{Caption, ImageGrid};
pub use crate::shape::Area;
pub use crate::svg::{base64, escape};
pub use crate::text::{Anchor, Text};
