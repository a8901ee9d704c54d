//! Training: the loop, its batches, its events, and what is recorded and shown of it.

pub(crate) mod batches;
pub(crate) mod callback;
pub(crate) mod fit;
pub(crate) mod limits;
pub(crate) mod progress;
pub(crate) mod recorder;
pub(crate) mod run;
