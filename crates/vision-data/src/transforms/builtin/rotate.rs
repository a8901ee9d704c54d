//! A rotation.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::pipeline::canvas::Canvas;
use crate::pipeline::sampling::projective::Map;
use crate::pipeline::step::{Failed, Step};
use crate::rng::Rng;
use crate::transforms::bounds::Bounds;
use crate::transforms::kind::{Kind, order, probability, rules};
use crate::transforms::resizing::Resizing;

/// Rotates about the center; positive angles are counter-clockwise.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rotate {
    /// Bounds of the angle in degrees.
    pub degrees: Bounds,
    /// Probability.
    pub p: f64,
}

impl Kind for Rotate {
    fn order(&self) -> i8 {
        order::AFFINE
    }

    probability!("p_affine");

    fn check(&self) -> Result<(), &'static str> {
        rules([(
            self.degrees.within(-3600.0, 3600.0),
            "`degrees` with low <= high, both in [-3600, 3600] (`max_rotate` of `get_transforms`: up to 3600)",
        )])
    }

    fn draw(&self, rng: &mut Rng) -> Arc<dyn Step> {
        Arc::new(Rotated {
            degrees: self.degrees.draw(rng),
        })
    }
}

/// A drawn rotation.
#[derive(Debug)]
pub(crate) struct Rotated {
    pub(crate) degrees: f64,
}

impl Step for Rotated {
    fn apply<'a>(&'a self, canvas: &mut Canvas<'a>) -> Result<(), Failed> {
        canvas.affine(&Map::rotate(self.degrees));
        Ok(())
    }

    fn words(&self, _: (usize, usize), _: &Resizing) -> String {
        format!("by {:.2} degrees", self.degrees)
    }
}
