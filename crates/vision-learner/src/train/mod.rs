//! Training: the loop, its batches and events, the recorder and the progress display.

pub(crate) mod batches;
pub(crate) mod callback;
pub(crate) mod context;
pub(crate) mod device_fault;
pub(crate) mod fine_tune;
pub(crate) mod fit;
pub(crate) mod key;
pub(crate) mod limits;
pub(crate) mod loss_scale;
pub(crate) mod precision;
pub(crate) mod progress;
pub(crate) mod recorder;
pub(crate) mod recording;
pub(crate) mod run;
pub(crate) mod scheduler;
pub(crate) mod scoring;
mod shared;
pub(crate) mod smooth;
pub(crate) mod state;
mod statistics;
