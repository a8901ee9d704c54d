//! A skew.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::pipeline::sampling::projective::Map;
use crate::pipeline::step::Step;
use crate::pipeline::warp::Warp;
use crate::rng::Rng;
use crate::transforms::bounds::Bounds;
use crate::transforms::kind::{Kind, magnitudes, order, probability, rules};

/// Moves one corner in x or y.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Skew {
    /// The corner and axis, from 0 to 7: upper left in x, in y, lower left in x, in y, upper right in x,
    /// in y, lower right in x, in y.
    pub direction: Bounds<u32>,
    /// Bounds from -0.5 to 0.5.
    pub magnitude: Bounds,
    /// Probability.
    pub p: f64,
}

impl Kind for Skew {
    fn order(&self) -> i8 {
        order::COORDINATES
    }

    probability!();

    fn check(&self) -> Result<(), &'static str> {
        rules([
            magnitudes(&[self.magnitude]),
            (
                self.direction.within(0, 7),
                "`direction` with low <= high, both in [0, 7]",
            ),
        ])
    }

    fn draw(&self, rng: &mut Rng) -> Arc<dyn Step> {
        let map = Map::skew(self.direction.draw(rng), self.magnitude.draw(rng));
        Arc::new(Warp(map))
    }
}
