//! Brightness.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::pipeline::canvas::Canvas;
use crate::pipeline::lighting::Lighting;
use crate::pipeline::step::{Failed, Step};
use crate::rng::Rng;
use crate::transforms::bounds::Bounds;
use crate::transforms::kind::{Kind, order, probability, rules};
use crate::transforms::resizing::Resizing;

/// Adds `logit(change)` to the logits of the pixels.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Brightness {
    /// Bounds within 0 (black) and 1 (white); 0.5 changes nothing.
    pub change: Bounds,
    /// Probability.
    pub p: f64,
}

impl Kind for Brightness {
    fn order(&self) -> i8 {
        order::LIGHTING
    }

    probability!("p_lighting");

    fn check(&self) -> Result<(), &'static str> {
        rules([(
            self.change.within(1e-6, 1.0 - 1e-6),
            "`change` with low <= high, both in (0, 1) (`max_lighting` of `get_transforms`: below 1)",
        )])
    }

    fn draw(&self, rng: &mut Rng) -> Arc<dyn Step> {
        Arc::new(Brightened {
            change: self.change.draw(rng),
        })
    }
}

/// A drawn change of brightness.
#[derive(Debug)]
pub(crate) struct Brightened {
    pub(crate) change: f64,
}

impl Step for Brightened {
    fn apply<'a>(&'a self, canvas: &mut Canvas<'a>) -> Result<(), Failed> {
        canvas.light(Lighting {
            factor: 1.0,
            offset: (self.change / (1.0 - self.change)).ln(),
        });
        Ok(())
    }

    fn words(&self, _: (usize, usize), _: &Resizing) -> String {
        format!("change {:.4}", self.change)
    }
}
