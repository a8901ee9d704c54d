//! Threads that decode and predict.

pub(crate) mod batcher;
pub(crate) mod engine;
pub(crate) mod job;
pub(crate) mod picture;
