//! The operations of RandAugment and TrivialAugment, on the 8-bit pixels of Pillow.

mod affine;
mod operation;
mod pixels;

pub(crate) use operation::{Operation, rand_augment, trivial_augment};
