//! A zoom.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::pipeline::canvas::Canvas;
use crate::pipeline::sampling::projective::Map;
use crate::pipeline::step::{Failed, Step};
use crate::pipeline::warp::shown;
use crate::rng::Rng;
use crate::transforms::bounds::Bounds;
use crate::transforms::kind::{Kind, order, places, probability, rules};
use crate::transforms::resizing::Resizing;

/// Zooms in, or out with a factor below 1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Zoom {
    /// Bounds of the factor, above zero; 2 shows half of the height and width.
    pub scale: Bounds,
    /// The vertical position of the visible part, from top (0) to bottom (1).
    pub row: Bounds,
    /// The horizontal position of the visible part, from left (0) to right (1).
    pub col: Bounds,
    /// Probability.
    pub p: f64,
}

impl Kind for Zoom {
    fn order(&self) -> i8 {
        order::AFFINE
    }

    probability!("p_affine");

    fn check(&self) -> Result<(), &'static str> {
        rules([
            places(&self.row, &self.col),
            (
                self.scale.within(1e-3, 1e3),
                "`scale` with low <= high, both in [0.001, 1000] (`max_zoom` of `get_transforms`: 1 to 1000)",
            ),
        ])
    }

    fn draw(&self, rng: &mut Rng) -> Arc<dyn Step> {
        Arc::new(Zoomed {
            scale: self.scale.draw(rng),
            row: self.row.draw(rng),
            col: self.col.draw(rng),
        })
    }
}

/// A drawn zoom.
#[derive(Debug)]
struct Zoomed {
    scale: f64,
    row: f64,
    col: f64,
}

impl Zoomed {
    fn map(&self) -> Map {
        Map::zoom(self.scale, self.row, self.col)
    }
}

impl Step for Zoomed {
    fn apply<'a>(&'a self, canvas: &mut Canvas<'a>) -> Result<(), Failed> {
        canvas.affine(&self.map());
        Ok(())
    }

    fn words(&self, _: (usize, usize), _: &Resizing) -> String {
        format!("scale {:.4}, {}", self.scale, shown(&self.map()))
    }
}
