//! A tilt.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::pipeline::sampling::projective::Map;
use crate::pipeline::step::Step;
use crate::pipeline::warp::Warp;
use crate::rng::Rng;
use crate::transforms::bounds::Bounds;
use crate::transforms::kind::{Kind, magnitudes, order, probability, rules};

/// Tilts the image plane: one side grows or shrinks.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tilt {
    /// The side: 0 right, 1 left, 2 bottom, 3 top.
    pub direction: Bounds<u32>,
    /// Bounds from -0.5 to 0.5.
    pub magnitude: Bounds,
    /// Probability.
    pub p: f64,
}

impl Kind for Tilt {
    fn order(&self) -> i8 {
        order::COORDINATES
    }

    probability!();

    fn check(&self) -> Result<(), &'static str> {
        rules([
            magnitudes(&[self.magnitude]),
            (
                self.direction.within(0, 3),
                "`direction` with low <= high, both in [0, 3]",
            ),
        ])
    }

    fn draw(&self, rng: &mut Rng) -> Arc<dyn Step> {
        let map = Map::tilt(self.direction.draw(rng), self.magnitude.draw(rng));
        Arc::new(Warp(map))
    }
}
