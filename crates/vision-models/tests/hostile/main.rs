//! Damaged and hostile files. They are held to a limit on the memory of the whole process, so that these tests
//! are a program of their own.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod files;
mod fuzz;
mod onnx;
mod support;
