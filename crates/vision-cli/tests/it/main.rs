//! The program `vision`, run as a user runs it.

#![allow(clippy::unwrap_used, clippy::panic)]

mod folds;
mod help;
mod hub;
mod interruption;
mod predicting;
mod remote;
mod scoring;
#[path = "../../../vision-fetch/tests/it/support/mod.rs"]
mod server;
mod serving;
mod session;
mod speed;
mod streams;
mod support;
mod together;
mod training;
mod usage;
mod weights_files;
