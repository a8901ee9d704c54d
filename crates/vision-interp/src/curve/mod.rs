//! Curves over all thresholds of a class's probability.

mod interpreted;
mod precision_recall;
mod ranked;
mod roc;

pub use precision_recall::PrecisionRecallCurve;
pub use roc::RocCurve;
