//! CPU kernels for training and running convolutional networks.
//!
//! All kernels work on plain slices of `f32` in channels-last order,
//! `[batch, height, width, channels]`. They use every core of the current rayon pool and the
//! widest instruction set of the machine. A result never depends on the number of threads.
//!
//! | Module | |
//! |---|---|
//! | [`conv`] | Convolution and its gradients |
//! | [`grouped`] | Convolution in groups of channels |
//! | [`depthwise`] | Depthwise convolution |
//! | [`batch_norm`] | Batch normalization, with residual and ReLU |
//! | [`layer_norm`] | Layer normalization |
//! | [`attention`] | Attention of tokens |
//! | [`branch`] | A branch added to the input of its block |
//! | [`channel_scale`] | A factor for each channel of each image |
//! | [`pool`], [`global_pool`] | Pooling over windows and over all pixels |
//! | [`activation`] | Activation functions |
//! | [`loss`] | Cross-entropy |
//! | [`bias`] | The gradient of a bias |
//! | [`adam`] | Adam |
//! | `ops` | All of these as operations on Burn's tensors, with the feature of that name |
//! | [`buffers`] | Recycled memory |
//! | [`isa`] | Instruction sets |
//! | `profile` | How long each of these operations took in a network, with the same feature |

// A line that cannot be written must not end a program: `vision_base::console` prints.
#![cfg_attr(not(test), warn(clippy::print_stdout, clippy::print_stderr))]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

pub mod activation;
pub mod adam;
pub mod attention;
pub mod average;
pub mod batch_norm;
pub mod bias;
mod blocks;
pub mod branch;
pub mod buffers;
pub mod channel_scale;
pub mod conv;
pub mod depthwise;
mod error;
pub mod global_pool;
pub mod grouped;
pub mod isa;
pub mod layer_norm;
pub mod linear;
pub mod loss;
mod matrix;
mod microkernel;
#[cfg(feature = "ops")]
pub mod ops;
mod padding;
pub mod pool;
#[cfg(feature = "ops")]
pub mod profile;
#[cfg(feature = "ops")]
mod response_norm;
mod scratch;

pub use error::ShapeError;
pub use isa::Isa;
pub use padding::Padding;

/// Whether this crate was compiled with optimization, that is with an `opt-level` above 0.
///
/// The profile of the program that uses it decides, and in plain `cargo build` the default is 0.
pub const fn optimized() -> bool {
    is_optimized(env!("OPT_LEVEL_OF_KERNELS"))
}

const fn is_optimized(level: &str) -> bool {
    !matches!(level.as_bytes(), b"0")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_level_but_0_is_optimized() {
        assert!(["1", "2", "3", "s", "z"].into_iter().all(is_optimized));
        assert!(!is_optimized("0"));
    }

    /// The workspace's profiles compile it at 3.
    #[test]
    fn the_tests_are_optimized() {
        assert!(optimized());
    }
}
