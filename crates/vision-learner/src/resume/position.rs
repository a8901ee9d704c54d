//! A position in a fit.

use serde::{Deserialize, Serialize};

use crate::train::loss_scale::LossScale;
use crate::train::smooth::Smooth;

/// A position between two steps of a fit, or between two epochs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Position {
    pub(crate) epoch: usize,
    /// Whether the epoch has begun.
    pub(crate) begun: bool,
    /// Batches of the epoch that the loader has passed, also those that it skipped.
    pub(crate) batches: usize,
    /// Training batches finished in this epoch.
    pub(crate) num_batch: usize,
    /// Training batches finished in this fit.
    pub(crate) iteration: usize,
    pub(crate) smooth: Smooth,
    /// What callbacks have asked for.
    pub(crate) stop_epoch: bool,
    pub(crate) stop_training: bool,
    pub(crate) skip_validate: bool,
    /// With half precision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) loss_scale: Option<LossScale>,
}

/// More epochs, batches or steps than any fit has.
const MOST: usize = u32::MAX as usize;

impl Position {
    /// Whether a file of ours can hold it.
    pub(super) fn is_plausible(&self) -> bool {
        let counts = [self.epoch, self.batches, self.num_batch, self.iteration];
        counts.iter().all(|count| *count <= MOST)
            && self.smooth.is_plausible()
            && self.loss_scale.is_none_or(|scale| scale.is_plausible())
    }

    /// The beginning of a fit.
    pub(crate) fn start(epoch: usize) -> Self {
        Self {
            epoch,
            begun: false,
            batches: 0,
            num_batch: 0,
            iteration: 0,
            smooth: Smooth::default(),
            stop_epoch: false,
            stop_training: false,
            skip_validate: false,
            loss_scale: None,
        }
    }
}
