//! A symmetry of the square, as part of the resampling.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::pipeline::canvas::Canvas;
use crate::pipeline::sampling::projective::Map;
use crate::pipeline::step::{Failed, Step};
use crate::rng::Rng;
use crate::transforms::bounds::Bounds;
use crate::transforms::kind::{Kind, order, probability, rules};
use crate::transforms::resizing::Resizing;

/// One of the eight symmetries of the square, as part of the single resampling. The height and width
/// of the image do not change.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DihedralAffine {
    /// Bit 0 mirrors left and right, bit 1 top and bottom, bit 2 swaps rows and columns.
    pub k: Bounds<u32>,
    /// Probability.
    pub p: f64,
}

impl Kind for DihedralAffine {
    fn order(&self) -> i8 {
        order::AFFINE
    }

    probability!();

    fn check(&self) -> Result<(), &'static str> {
        rules([(self.k.within(0, 7), "`k` with low <= high, both in [0, 7]")])
    }

    fn draw(&self, rng: &mut Rng) -> Arc<dyn Step> {
        Arc::new(Turned(self.k.draw(rng)))
    }
}

/// The drawn symmetry.
#[derive(Debug)]
struct Turned(u32);

impl Step for Turned {
    fn apply<'a>(&'a self, canvas: &mut Canvas<'a>) -> Result<(), Failed> {
        canvas.affine(&Map::dihedral(self.0));
        Ok(())
    }

    fn words(&self, _: (usize, usize), _: &Resizing) -> String {
        format!("k {}", self.0)
    }
}
