//! The crop to the size of the data.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::pipeline::canvas::Canvas;
use crate::pipeline::step::{Failed, Step};
use crate::rng::Rng;
use crate::transforms::bounds::Bounds;
use crate::transforms::kind::{Kind, order, places, rules};
use crate::transforms::resizing::Resizing;

/// Crops or pads to the size of the data. Only with the methods [`Crop`] and [`Pad`].
///
/// [`Crop`]: crate::ResizeMethod::Crop
/// [`Pad`]: crate::ResizeMethod::Pad
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CropPad {
    /// Where to cut from top (0) to bottom (1).
    pub row: Bounds,
    /// Where to cut from left (0) to right (1).
    pub col: Bounds,
}

impl Kind for CropPad {
    fn order(&self) -> i8 {
        order::CROP_PAD
    }

    fn check(&self) -> Result<(), &'static str> {
        rules([places(&self.row, &self.col)])
    }

    fn draw(&self, rng: &mut Rng) -> Arc<dyn Step> {
        Arc::new(Placed {
            row: self.row.draw(rng),
            col: self.col.draw(rng),
        })
    }
}

/// A drawn crop.
#[derive(Debug)]
struct Placed {
    row: f64,
    col: f64,
}

impl Step for Placed {
    fn apply<'a>(&'a self, canvas: &mut Canvas<'a>) -> Result<(), Failed> {
        canvas.crop_to_target(self.row, self.col);
        Ok(())
    }

    fn words(&self, _: (usize, usize), _: &Resizing) -> String {
        format!("row {:.3}, col {:.3}", self.row, self.col)
    }

    fn crops(&self) -> bool {
        true
    }
}
