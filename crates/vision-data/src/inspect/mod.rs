//! Inspecting data before training: the doctor, descriptions, summaries, contact sheets.

mod describe;
pub mod doctor;
mod show;
mod summary;
mod verify;

pub use crate::inspect::describe::{Description, PartDescription};
pub use crate::inspect::summary::{Summary, SummaryStep};
pub use crate::inspect::verify::{UnreadableImage, VerifyConfig, VerifyReport, verify_images};
