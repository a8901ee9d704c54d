//! The tests of learners, in one program.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod checkpoints;
mod classifiers;
mod export;
mod feature_cache;
mod fixed_body;
mod freezing;
mod own_backbone;
mod prelude;
mod repeatability;
mod robust;
mod support;
mod training;
mod training_loop;
