//! A horizontal flip.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::pipeline::canvas::Canvas;
use crate::pipeline::step::{Failed, Step};
use crate::pipeline::window::Window;
use crate::rng::Rng;
use crate::transforms::kind::{Kind, order, probability};
use crate::transforms::resizing::Resizing;

/// Mirrors left and right, pixel by pixel.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FlipLr {
    /// Probability.
    pub p: f64,
}

impl Kind for FlipLr {
    fn order(&self) -> i8 {
        order::PIXELS
    }

    probability!();

    fn check(&self) -> Result<(), &'static str> {
        Ok(())
    }

    fn draw(&self, _: &mut Rng) -> Arc<dyn Step> {
        Arc::new(*self)
    }
}

impl Step for FlipLr {
    fn apply<'a>(&'a self, canvas: &mut Canvas<'a>) -> Result<(), Failed> {
        canvas.window(Window::flip_lr);
        Ok(())
    }

    fn words(&self, _: (usize, usize), _: &Resizing) -> String {
        String::new()
    }
}
