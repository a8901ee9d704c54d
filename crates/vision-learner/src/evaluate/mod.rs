//! Evaluation beyond one validation set: cross-validation, intervals, comparisons.

pub(crate) mod bootstrap;
pub(crate) mod comparison;
pub(crate) mod cross_validate;
pub(crate) mod interval;
pub(crate) mod labeled;
pub(crate) mod mcnemar;
mod resample;
mod student_t;
