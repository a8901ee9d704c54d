//! The model of a learner: a body, a head, and the networks that a user brings.

pub(crate) mod any_model;
pub(crate) mod body;
pub(crate) mod cnn;
pub(crate) mod head;
pub(crate) mod pretrained;
pub(crate) mod target;
