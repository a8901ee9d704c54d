//! CPU kernels for training and running convolutional networks.
//!
//! Everything works on plain slices of `f32` in channels-last order, `[batch, height, width, channels]`,
//! on every core of the current rayon pool, with the widest instruction set that the machine has. A
//! result never depends on the number of threads.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

pub mod batch_norm;
mod blocks;
mod error;
pub mod isa;

pub use error::ShapeError;
pub use isa::Isa;
