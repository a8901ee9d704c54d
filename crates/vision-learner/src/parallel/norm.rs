//! Batch norms over all processes.

use std::sync::Arc;

use vision_kernels::ops::Across;

use crate::parallel::ranks::Ranks;
use crate::parallel::traffic::Purpose;

/// Adds up the statistics of batches and their gradients.
#[derive(Debug)]
pub(crate) struct NormSums {
    pub(crate) ranks: Arc<Ranks>,
    /// Whether the batch here stands in for none.
    pub(crate) blank: bool,
}

impl Across for NormSums {
    fn sum(&self, values: &mut [f64]) {
        if self.blank {
            values.fill(0.0);
        }
        // A lost rank is remembered; the step asks before it uses anything.
        let _ = self.ranks.sum(Purpose::BatchNorms, values);
    }
}
