//! Tests of the kernels.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod activation;
mod attention;
mod batch_norm;
mod conv;
mod conv_accuracy;
mod depthwise;
mod grouped;
mod layer_norm;
mod linear;
mod loss;
#[cfg(feature = "flex")]
mod ops;
mod pool;
mod pytorch;
mod support;
mod training;
