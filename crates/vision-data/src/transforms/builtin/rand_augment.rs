//! RandAugment.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::pipeline::rand_augment::operation::{Operations, rand_augment};
use crate::pipeline::step::Step;
use crate::rng::Rng;
use crate::transforms::kind::{Kind, order, rules};

/// Applies some of fourteen operations on 8-bit pixels in sequence, all of the same strength, like
/// torchvision's `RandAugment` (Cubuk et al., <https://arxiv.org/abs/1909.13719>).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RandAugment {
    /// The number of operations.
    pub ops: u32,
    /// Their strength: a bin, counted from 0.
    pub magnitude: u32,
    /// The number of bins that the range of strengths is divided into, at least 2.
    pub bins: u32,
}

impl Kind for RandAugment {
    fn order(&self) -> i8 {
        order::FINISHED
    }

    fn check(&self) -> Result<(), &'static str> {
        rules([
            ((2..=1000).contains(&self.bins), "`bins` in 2 to 1000"),
            (self.magnitude < self.bins, "`magnitude` below `bins`"),
            (self.ops <= 100, "`ops` up to 100"),
        ])
    }

    fn draw(&self, rng: &mut Rng) -> Arc<dyn Step> {
        let operations = rand_augment(self.ops, self.magnitude, self.bins, rng);
        Arc::new(Operations(operations))
    }
}
