//! What a trained model says about images.

pub(crate) mod predictions;
