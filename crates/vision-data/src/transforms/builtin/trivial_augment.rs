//! TrivialAugment.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::pipeline::rand_augment::operation::{Operations, trivial_augment};
use crate::pipeline::step::Step;
use crate::rng::Rng;
use crate::transforms::kind::{Kind, order, rules};

/// Applies one of fourteen operations on 8-bit pixels, of random strength, like torchvision's
/// `TrivialAugmentWide` (Müller and Hutter, <https://arxiv.org/abs/2103.10158>).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrivialAugment {
    /// The number of bins that the range of strengths is divided into, at least 2.
    pub bins: u32,
}

impl Kind for TrivialAugment {
    fn order(&self) -> i8 {
        order::FINISHED
    }

    fn check(&self) -> Result<(), &'static str> {
        rules([((2..=1000).contains(&self.bins), "`bins` in 2 to 1000")])
    }

    fn draw(&self, rng: &mut Rng) -> Arc<dyn Step> {
        Arc::new(Operations(vec![trivial_augment(self.bins, rng)]))
    }
}
