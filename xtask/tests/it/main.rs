//! Tests of the developer tasks.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod fetch_weights;
#[path = "../../../crates/vision-fetch/tests/it/support/mod.rs"]
mod support;
