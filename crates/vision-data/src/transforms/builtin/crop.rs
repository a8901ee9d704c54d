//! A crop to a fixed size.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::pipeline::canvas::Canvas;
use crate::pipeline::step::{Failed, Step};
use crate::rng::Rng;
use crate::transforms::bounds::Bounds;
use crate::transforms::kind::{Kind, Shape, order, places, rules};
use crate::transforms::resizing::Resizing;
use crate::transforms::size::Size;

/// Crops to its own size, whatever the resize method.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Crop {
    /// Height and width. A smaller image is padded.
    pub size: Size,
    /// Where to cut from top (0) to bottom (1).
    pub row: Bounds,
    /// Where to cut from left (0) to right (1).
    pub col: Bounds,
}

impl Kind for Crop {
    fn order(&self) -> i8 {
        order::PIXELS
    }

    fn shape(&self) -> Shape {
        Shape::Own
    }

    fn check(&self) -> Result<(), &'static str> {
        let sides = "`size` with sides of 1 to 16384 pixels";
        rules([places(&self.row, &self.col), (self.size.is_valid(), sides)])
    }

    fn draw(&self, rng: &mut Rng) -> Arc<dyn Step> {
        Arc::new(Cropped {
            size: self.size,
            row: self.row.draw(rng),
            col: self.col.draw(rng),
        })
    }
}

/// A drawn crop.
#[derive(Debug)]
struct Cropped {
    size: Size,
    row: f64,
    col: f64,
}

impl Step for Cropped {
    fn apply<'a>(&'a self, canvas: &mut Canvas<'a>) -> Result<(), Failed> {
        canvas.crop(self.size.height_width(), self.row, self.col);
        Ok(())
    }

    fn words(&self, _: (usize, usize), _: &Resizing) -> String {
        format!("row {:.3}, col {:.3}", self.row, self.col)
    }
}
