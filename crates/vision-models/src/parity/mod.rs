//! Comparison with torchvision, without a weights file.
//!
//! `fill` computes the values of a parameter from its name alone, so programs in two languages
//! have the same weights without exchanging any. A `Reference` holds torchvision's float64
//! results for these weights, and `compare` measures how far this crate deviates from it:
//!
//! ```
//! use vision_models::{Arch, parity};
//! # let device = vision_models::test_device();
//! # let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/parity.json");
//! let reference: parity::Reference = serde_json::from_str(&std::fs::read_to_string(file)?)?;
//! let arch = Arch::ResNet18;
//! for deviation in parity::compare(arch, &reference.archs[arch.name()], 0, &device)? {
//!     assert!(deviation.is_within_tolerance(), "{deviation}");
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! `scripts/make_parity_reference.py` in the repository creates such files.

mod compare;
mod fill;
mod reference;

pub use compare::{Deviation, compare};
pub use fill::{fill, filled, uniform};
pub use reference::{ArchReference, BodyReference, Reference, Tolerances, TrainReference};
