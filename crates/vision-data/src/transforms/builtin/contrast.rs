//! Contrast.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::pipeline::canvas::Canvas;
use crate::pipeline::lighting::Lighting;
use crate::pipeline::step::{Failed, Step};
use crate::rng::Rng;
use crate::transforms::bounds::Bounds;
use crate::transforms::kind::{Kind, order, probability, rules};
use crate::transforms::resizing::Resizing;

/// Multiplies the logits of the pixels.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contrast {
    /// Bounds of the factor, above zero; its logarithm is uniform. 1 changes nothing.
    pub scale: Bounds,
    /// Probability.
    pub p: f64,
}

impl Kind for Contrast {
    fn order(&self) -> i8 {
        order::LIGHTING
    }

    probability!("p_lighting");

    fn check(&self) -> Result<(), &'static str> {
        rules([(
            self.scale.within(1e-3, 1e3),
            "`scale` with low <= high, both in [0.001, 1000] (`max_lighting` of `get_transforms`: up to 0.999)",
        )])
    }

    fn draw(&self, rng: &mut Rng) -> Arc<dyn Step> {
        Arc::new(Contrasted {
            scale: self.scale.draw_log(rng),
        })
    }
}

/// A drawn change of contrast.
#[derive(Debug)]
pub(crate) struct Contrasted {
    pub(crate) scale: f64,
}

impl Step for Contrasted {
    fn apply<'a>(&'a self, canvas: &mut Canvas<'a>) -> Result<(), Failed> {
        canvas.light(Lighting {
            factor: self.scale,
            offset: 0.0,
        });
        Ok(())
    }

    fn words(&self, _: (usize, usize), _: &Resizing) -> String {
        format!("scale {:.4}", self.scale)
    }
}
