//! Looking at data before training.

pub mod describe;
pub mod doctor;
pub(crate) mod show;
pub mod summary;
pub mod verify;
