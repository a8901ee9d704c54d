//! What clients may hold, and in which order they are served.

pub(crate) mod client;
pub(crate) mod queue;
pub(crate) mod quota;
