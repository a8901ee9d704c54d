//! The tests of the models and their files, in one program.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod golden;
mod init;
mod layers;
mod onnx_export;
mod onnx_import;
mod parity;
mod state;
mod weights;
mod weights_forms;
