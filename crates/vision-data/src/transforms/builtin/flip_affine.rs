//! A horizontal flip, as part of the resampling.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::pipeline::canvas::Canvas;
use crate::pipeline::sampling::projective::Map;
use crate::pipeline::step::{Failed, Step};
use crate::rng::Rng;
use crate::transforms::kind::{Kind, order, probability};
use crate::transforms::resizing::Resizing;

/// Mirrors left and right, as part of the single resampling.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FlipAffine {
    /// Probability.
    pub p: f64,
}

impl Kind for FlipAffine {
    fn order(&self) -> i8 {
        order::AFFINE
    }

    probability!();

    fn check(&self) -> Result<(), &'static str> {
        Ok(())
    }

    fn draw(&self, _: &mut Rng) -> Arc<dyn Step> {
        Arc::new(*self)
    }
}

impl Step for FlipAffine {
    fn apply<'a>(&'a self, canvas: &mut Canvas<'a>) -> Result<(), Failed> {
        canvas.affine(&Map::dihedral(1));
        Ok(())
    }

    fn words(&self, _: (usize, usize), _: &Resizing) -> String {
        String::new()
    }
}
