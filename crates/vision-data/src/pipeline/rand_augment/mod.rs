//! The operations of RandAugment and TrivialAugment, on the 8-bit pixels of Pillow.

pub(crate) mod affine;
pub(crate) mod operation;
pub(crate) mod pixels;
