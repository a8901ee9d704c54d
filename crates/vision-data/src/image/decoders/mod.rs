//! The decoders, one for each format, where a crate alone does not read what Pillow reads.

pub(super) mod bmp;
pub(super) mod gif;
pub(super) mod jpeg;
pub(super) mod png;
pub(super) mod pnm;
pub(super) mod shared;
pub(super) mod tiff;
