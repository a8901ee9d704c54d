//! Tests of interpretation.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod confusion;
mod figures;
mod from_learner;
mod heatmaps;
mod multi_label;
mod saving;
mod show_results;
mod support;
mod tensor_board;
mod top_losses;
