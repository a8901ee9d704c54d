//! Training: the loop, its batches and events, the recorder and the progress display.

pub(crate) mod batches;
pub(crate) mod callback;
pub(crate) mod fit;
pub(crate) mod limits;
pub(crate) mod progress;
pub(crate) mod recorder;
pub(crate) mod run;
