//! A symmetric warp.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::pipeline::sampling::projective::Map;
use crate::pipeline::step::Step;
use crate::pipeline::warp::Warp;
use crate::rng::Rng;
use crate::transforms::bounds::Bounds;
use crate::transforms::kind::{Kind, order, probability, rules};

/// A perspective warp that changes opposite sides symmetrically, by a magnitude for each of four sides.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SymmetricWarp {
    /// Four magnitudes from -0.5 to 0.5.
    pub magnitude: [Bounds; 4],
    /// Probability.
    pub p: f64,
}

impl Kind for SymmetricWarp {
    fn order(&self) -> i8 {
        order::COORDINATES
    }

    probability!("p_affine");

    fn check(&self) -> Result<(), &'static str> {
        let within = self.magnitude.iter().all(|m| m.within(-0.5, 0.5));
        rules([(
            within,
            "`magnitude` with low <= high, both in [-0.5, 0.5] (`max_warp` of `get_transforms`: up to 0.5)",
        )])
    }

    fn draw(&self, rng: &mut Rng) -> Arc<dyn Step> {
        let map = Map::symmetric_warp(self.magnitude.map(|m| m.draw(rng)));
        Arc::new(Warp(map))
    }
}
