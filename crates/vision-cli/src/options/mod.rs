//! Options that several commands share.

pub(crate) mod course;
pub(crate) mod images;
pub(crate) mod lr;
pub(crate) mod model;
pub(crate) mod processes;
pub(crate) mod source;
pub(crate) mod train;
