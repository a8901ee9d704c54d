//! The tests of the whole, in one program.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod bad_input;
mod devices;
mod examples;
mod fastai_names;
mod label_kinds;
mod own_transform;
mod page;
mod real_weights;
#[path = "../../../vision-learner/tests/it/support/mod.rs"]
mod support;
