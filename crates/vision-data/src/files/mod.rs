//! Finding image files.

pub(crate) mod disjoint;
pub(crate) mod folder_id;
pub mod index;
pub(crate) mod text;
