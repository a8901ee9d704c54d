//! The program `vision`, run as a user runs it.

#![allow(clippy::unwrap_used, clippy::panic)]

mod help;
mod interruption;
mod predicting;
mod serving;
mod support;
mod training;
mod usage;
mod weights_files;
