//! A squish.

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

/// Stretches one axis: a factor below 1 stretches columns (0.5 shows half of them), above 1 rows.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Squish {
    /// Bounds of the factor, above zero.
    pub scale: Bounds,
    /// The vertical position of the visible rows, from top (0) to bottom (1).
    pub row: Bounds,
    /// The horizontal position of the visible columns, from left (0) to right (1).
    pub col: Bounds,
    /// Probability.
    pub p: f64,
}

impl Kind for Squish {
    fn order(&self) -> i8 {
        order::AFFINE
    }

    probability!();

    fn check(&self) -> Result<(), &'static str> {
        rules([
            places(&self.row, &self.col),
            (
                self.scale.within(1e-3, 1e3),
                "`scale` with low <= high, both in [0.001, 1000]",
            ),
        ])
    }

    fn draw(&self, rng: &mut Rng) -> Arc<dyn Step> {
        Arc::new(Squished {
            scale: self.scale.draw(rng),
            row: self.row.draw(rng),
            col: self.col.draw(rng),
        })
    }
}

/// A drawn squish.
#[derive(Debug)]
struct Squished {
    scale: f64,
    row: f64,
    col: f64,
}

impl Squished {
    fn map(&self) -> Map {
        Map::squish(self.scale, self.row, self.col)
    }
}

impl Step for Squished {
    fn apply<'a>(&'a self, canvas: &mut Canvas<'a>) -> Result<(), Failed> {
        canvas.affine(&self.map());
        Ok(())
    }

    fn words(&self, _: (usize, usize), _: &Resizing) -> String {
        format!("scale {:.4}, {}", self.scale, shown(&self.map()))
    }
}
