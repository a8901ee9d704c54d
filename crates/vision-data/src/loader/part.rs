//! The parts of batches.

use std::time::Duration;

use crate::error::Result;
use crate::loader::Loader;
use crate::loader::batch::Batch;

/// What a process has of a batch.
#[derive(Clone, Debug, PartialEq)]
pub struct BatchPart {
    /// Its items; `None` if it has none.
    pub batch: Option<Batch>,
    /// The number of its images that were skipped: [`BadImages::Skip`](crate::BadImages::Skip).
    pub skipped: usize,
}

/// The parts that a process has of the batches of an epoch: an iterator with as many items in every process.
/// [`ImageDataBunch::loader_of_share`](crate::ImageDataBunch::loader_of_share) makes it.
#[derive(Debug)]
pub struct PartLoader(pub(crate) Loader);

impl PartLoader {
    /// As [`Loader::passed`].
    pub fn passed(&self) -> usize {
        self.0.passed()
    }

    /// As [`Loader::waited`].
    pub fn waited(&self) -> Duration {
        self.0.waited()
    }
}

impl Iterator for PartLoader {
    type Item = Result<BatchPart>;

    fn next(&mut self) -> Option<Self::Item> {
        let part = self.0.next_prepared()?;
        Some(part.map(|(batch, skipped)| BatchPart { batch, skipped }))
    }
}
