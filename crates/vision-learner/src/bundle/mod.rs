//! The deployed model: one sealed safetensors file that needs no code but this library's.
//!
//! It holds the layers as data, weights, classes, preprocessing, what to do with the outputs, and inputs with
//! their outputs for a self test. `docs/design/deployed-models.md` says why.

pub(crate) mod card;
pub(crate) mod config;
mod drawn;
pub(crate) mod golden;
pub(crate) mod machine;
pub(crate) mod manifest;
pub(crate) mod open_config;
mod read;
pub(crate) mod self_test;
mod write;
