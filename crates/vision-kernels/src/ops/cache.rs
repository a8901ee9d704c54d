//! Cache of packed weights.

use std::fmt;

/// A layer's cache of packed weights, in the order in which the kernels read them.
///
/// It is filled if weights do not change from call to call: in inference, and for a frozen layer in
/// training. Without it, a small batch of small images would spend most of its time on packing. A
/// clone is empty, so that it suits the copy of a model that is made for prediction.
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
