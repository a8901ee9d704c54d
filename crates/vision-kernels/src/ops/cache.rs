//! Weights that were packed for the kernels, kept while they stay the same.

use std::fmt;

/// What a layer keeps from call to call: its weights in the order in which the kernels read them.
///
/// Filled where weights do not change from call to call: in inference, and for a frozen layer in training. A
/// small batch of small pictures would spend most of its time on packing otherwise. A clone begins empty, so
/// that it goes with the copy of a model that is made to predict.
#[derive(Default)]
pub struct WeightCache {
    #[cfg(feature = "flex")]
    pub(super) slots: std::sync::Arc<super::flex::Slots>,
}

impl Clone for WeightCache {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl fmt::Debug for WeightCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WeightCache").finish_non_exhaustive()
    }
}
