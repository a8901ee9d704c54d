//! Models: the body, the head, and custom networks.

pub(crate) mod any_model;
pub(crate) mod body;
pub(crate) mod cnn;
pub(crate) mod head;
pub(crate) mod hub;
pub(crate) mod pretrained;
pub(crate) mod sides;
pub(crate) mod summary;
pub(crate) mod target;
