//! Evaluation beyond one validation set: cross-validation, intervals, comparisons, calibration.

pub(crate) mod abstain;
pub(crate) mod bootstrap;
pub(crate) mod comparison;
pub(crate) mod cross_validate;
pub(crate) mod interval;
pub(crate) mod labeled;
mod log_probabilities;
pub(crate) mod mcnemar;
pub(crate) mod reliability;
mod resample;
mod student_t;
pub(crate) mod temperature;
