//! A symmetry of the square.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::pipeline::canvas::Canvas;
use crate::pipeline::step::{Failed, Step};
use crate::rng::Rng;
use crate::transforms::bounds::Bounds;
use crate::transforms::kind::{Kind, Shape, order, probability, rules};
use crate::transforms::resizing::Resizing;

/// One of the eight symmetries of the square, pixel by pixel. Height and width may be swapped, so the
/// image must be square or be cropped afterwards.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dihedral {
    /// Bit 0 mirrors top and bottom, bit 1 left and right, bit 2 then swaps rows and columns.
    pub k: Bounds<u32>,
    /// Probability.
    pub p: f64,
}

impl Kind for Dihedral {
    fn order(&self) -> i8 {
        order::PIXELS
    }

    probability!();

    fn shape(&self) -> Shape {
        match self.k.high() {
            0..=3 => Shape::Kept,
            _ => Shape::Swapped,
        }
    }

    fn check(&self) -> Result<(), &'static str> {
        rules([(self.k.within(0, 7), "`k` with low <= high, both in [0, 7]")])
    }

    fn draw(&self, rng: &mut Rng) -> Arc<dyn Step> {
        Arc::new(Turned(self.k.draw(rng)))
    }
}

/// The drawn symmetry.
#[derive(Debug)]
pub(crate) struct Turned(pub(crate) u32);

impl Step for Turned {
    fn apply<'a>(&'a self, canvas: &mut Canvas<'a>) -> Result<(), Failed> {
        canvas.window(|window| window.dihedral(self.0));
        Ok(())
    }

    fn words(&self, _: (usize, usize), _: &Resizing) -> String {
        format!("k {}", self.0)
    }
}
