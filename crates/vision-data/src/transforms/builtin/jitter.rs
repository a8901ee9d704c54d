//! Jitter.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::pipeline::canvas::Canvas;
use crate::pipeline::step::{Failed, Step};
use crate::rng::Rng;
use crate::transforms::bounds::Bounds;
use crate::transforms::kind::{Kind, order, probability, rules};
use crate::transforms::resizing::Resizing;

/// Samples each pixel from a random position nearby.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Jitter {
    /// The largest distance in x and in y, from 0 to 1.
    pub magnitude: Bounds,
    /// Probability.
    pub p: f64,
}

impl Kind for Jitter {
    fn order(&self) -> i8 {
        order::COORDINATES
    }

    probability!();

    fn check(&self) -> Result<(), &'static str> {
        rules([(
            self.magnitude.within(0.0, 1.0),
            "`magnitude` with low <= high, both in [0, 1]",
        )])
    }

    fn draw(&self, rng: &mut Rng) -> Arc<dyn Step> {
        Arc::new(Jittered {
            magnitude: self.magnitude.draw(rng),
            rng: rng.split(),
        })
    }
}

/// A drawn jitter.
#[derive(Debug)]
struct Jittered {
    magnitude: f64,
    rng: Rng,
}

impl Step for Jittered {
    fn apply<'a>(&'a self, canvas: &mut Canvas<'a>) -> Result<(), Failed> {
        canvas.jitter(self.magnitude, self.rng.clone());
        Ok(())
    }

    fn words(&self, _: (usize, usize), _: &Resizing) -> String {
        format!("by up to {:.4}", self.magnitude)
    }
}
