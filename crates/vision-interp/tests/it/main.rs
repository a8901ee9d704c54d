//! Tests of interpretation.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod compared;
mod confusion;
mod curves;
mod figures;
mod from_learner;
mod heatmaps;
mod label_errors;
mod multi_label;
mod recorder;
mod report;
mod saving;
mod show_results;
mod support;
mod tensor_board;
mod thresholds;
mod top_losses;
