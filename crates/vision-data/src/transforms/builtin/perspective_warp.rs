//! A perspective warp.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::pipeline::sampling::projective::Map;
use crate::pipeline::step::Step;
use crate::pipeline::warp::Warp;
use crate::rng::Rng;
use crate::transforms::bounds::Bounds;
use crate::transforms::kind::{Kind, magnitudes, order, probability, rules};

/// A perspective warp that moves each of the four corners in x and y.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PerspectiveWarp {
    /// Eight magnitudes from -0.5 to 0.5: x and y of the upper left, lower left, upper right
    /// and lower right corners.
    pub magnitude: [Bounds; 8],
    /// Probability.
    pub p: f64,
}

impl Kind for PerspectiveWarp {
    fn order(&self) -> i8 {
        order::COORDINATES
    }

    probability!();

    fn check(&self) -> Result<(), &'static str> {
        rules([magnitudes(&self.magnitude)])
    }

    fn draw(&self, rng: &mut Rng) -> Arc<dyn Step> {
        let map = Map::perspective_warp(self.magnitude.map(|m| m.draw(rng)));
        Arc::new(Warp(map))
    }
}
