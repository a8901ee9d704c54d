//! Comparison with torchvision, without a weights file.
//!
//! [`fill`] makes the values of a parameter from its name alone, so two programs in two languages hold the
//! same weights without exchanging any. A [`Reference`] holds what torchvision computes from them in
//! float64, and [`compare`] tells how far this crate is from it:
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
//! `scripts/make_parity_reference.py` in the repository makes such files.

mod compare;
mod fill;
mod reference;

pub use compare::{Deviation, compare};
pub use fill::{fill, filled, uniform};
pub use reference::{ArchReference, BodyReference, Reference, Tolerances, TrainReference};
