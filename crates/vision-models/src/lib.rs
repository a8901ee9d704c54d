//! Backbones with the names and numbers of torchvision, and readers of their weights files.
//!
//! An [`Arch`] names an architecture. Its registry entry says how to build it, where transfer
//! learning cuts it, which layers form its layer groups, and where its ImageNet weights are.
//! Building returns a [`layers::Sequential`] whose parameters have torchvision's names, layout and
//! initialization:
//!
//! ```
//! use vision_models::{Arch, Cut, Init, state};
//! # let device = vision_models::test_device();
//! let model = Arch::ResNet18.build(1000, &mut Init::new(0, &device));
//! assert_eq!(state::entries(&model)[0].name, "conv1.weight");
//!
//! let body = Cut::Default.apply(model, Arch::ResNet18.info().cut)?;
//! assert_eq!(body.len(), 8); // everything but avgpool and fc
//! # Ok::<(), vision_models::Error>(())
//! ```
//!
//! * [`arch`]: the registry
//! * [`cut`]: where the body ends
//! * [`layers`]: the building blocks; [`Description`]: as data
//! * [`init`]: seeded initialization
//! * [`state`]: parameters by name
//! * [`mode`]: layers that behave differently in training
//! * [`inspect`]: shapes and multiply-adds of every layer; the output of any layer
//! * [`export`]: to ONNX, and to PyTorch's names
//! * [`weights`]: PyTorch, safetensors and ONNX files, read as data: nothing in a file is ever executed

// A line that cannot be written must not end a program: `vision_base::console` prints.
#![cfg_attr(not(test), warn(clippy::print_stdout, clippy::print_stderr))]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

pub mod arch;
pub mod cut;
mod description;
mod error;
pub mod export;
pub mod init;
pub mod inspect;
pub mod layers;
pub mod mode;
// For the tests and `cargo xtask parity`; not part of the public API.
#[doc(hidden)]
pub mod parity;
pub mod state;
pub mod weights;

pub use arch::convnext::ConvNextBlock;
pub use arch::densenet::DenseLayer;
pub use arch::mobilenet::InvertedResidual;
pub use arch::resnet::{BasicBlock, Bottleneck};
pub use arch::squeezenet::Fire;
pub use arch::timm::near_repositories;
pub use arch::vit::{Attention, TransformerBlock};
pub use arch::xresnet::XResBlock;
pub use arch::{Arch, ArchInfo, WeightsInfo, WeightsPlace};
pub use cut::Cut;
pub use description::Description;
pub use error::{Error, Result};
pub use init::{Init, WeightInit};

/// The device of the examples in this crate's documentation.
#[doc(hidden)]
pub fn test_device() -> burn::tensor::Device {
    Default::default()
}
