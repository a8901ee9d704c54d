//! The operations of RandAugment and TrivialAugment, on 8-bit pixels like Pillow's.

pub(crate) mod affine;
pub(crate) mod operation;
pub(crate) mod pixels;
