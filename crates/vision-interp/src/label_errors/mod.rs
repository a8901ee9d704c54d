//! Items whose label is probably wrong: confident learning.

pub(crate) mod config;
pub(crate) mod errors;
mod filter;
pub(crate) mod given;
pub(crate) mod joint;
mod rounding;
mod scores;
mod sources;
mod write;
