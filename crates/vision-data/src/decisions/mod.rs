//! Decisions about images: which are left out, and which have another label.

mod cell;
pub(crate) mod decision;
pub(crate) mod error;
pub(crate) mod file;
pub(crate) mod pending;
pub(crate) mod record;
pub(crate) mod relabel;
