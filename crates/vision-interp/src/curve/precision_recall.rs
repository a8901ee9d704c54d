//! The precision-recall curve of a class.

use std::fmt::Write as _;

use serde::Serialize;
use vision_learner::{Average, average_precision};

use super::ranked::{Ranked, Step};
use crate::Result;

/// The precision-recall curve of a class against the rest: scikit-learn's `precision_recall_curve`.
///
/// `precision[i]` and `recall[i]` hold if items whose probability of the class is at least `thresholds[i]` are predicted as
/// such. The last precision is 1 and the last recall 0, without a threshold.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct PrecisionRecallCurve {
    /// Name of the class.
    pub class: String,
    /// The thresholds, in ascending order; one fewer than points.
    pub thresholds: Vec<f64>,
    /// The precisions: TP / (TP + FP).
    pub precision: Vec<f64>,
    /// The recalls: TP / (TP + FN).
    pub recall: Vec<f64>,
    /// The average precision: the mean of the precisions, each with the weight of its step in recall.
    pub average_precision: f64,
}

impl PrecisionRecallCurve {
    pub(super) fn new(ranked: Ranked) -> Result<Self> {
        let undefined = "a class that some items have";
        let metric = average_precision(Average::Macro);
        let Some(average_precision) = metric.score(ranked.items.clone()) else {
            return Err(ranked.undefined(undefined));
        };
        let positive = ranked.positive() as f64;
        let mut steps: Vec<Step> = ranked.steps().collect();
        steps.reverse();
        let precision = |step: &Step| step.right as f64 / (step.right + step.wrong) as f64;
        let recall = |step: &Step| step.right as f64 / positive;
        Ok(Self {
            class: ranked.class.clone(),
            thresholds: steps.iter().map(|step| step.threshold).collect(),
            precision: steps.iter().map(precision).chain([1.0]).collect(),
            recall: steps.iter().map(recall).chain([0.0]).collect(),
            average_precision,
        })
    }

    /// The points: recall and precision.
    pub fn points(&self) -> impl Iterator<Item = (f64, f64)> {
        self.recall
            .iter()
            .copied()
            .zip(self.precision.iter().copied())
    }

    /// The curve as CSV: `threshold,precision,recall`. The last threshold is empty.
    pub fn to_csv(&self) -> String {
        let mut table = String::from("threshold,precision,recall\n");
        let thresholds = self.thresholds.iter().map(f64::to_string);
        let thresholds = thresholds.chain([String::new()]);
        for (threshold, (recall, precision)) in thresholds.zip(self.points()) {
            let _ = writeln!(table, "{threshold},{precision},{recall}");
        }
        table
    }
}
