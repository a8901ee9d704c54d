//! The ROC curve of a class.

use std::fmt::Write as _;

use serde::Serialize;
use vision_learner::{Average, roc_auc};

use super::ranked::{Ranked, Step};
use crate::Result;

/// The ROC curve of a class against the rest: scikit-learn's `roc_curve`, which leaves out points on a straight line
/// between their neighbors.
///
/// Items whose probability of the class is at least `thresholds[i]` are predicted as such: then `fpr[i]` of the items
/// without the class, and `tpr[i]` of those with it. The first threshold is infinite, and predicts nothing.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct RocCurve {
    /// Name of the class.
    pub class: String,
    /// The thresholds, in descending order.
    pub thresholds: Vec<f64>,
    /// The false positive rates: FP / (FP + TN).
    pub fpr: Vec<f64>,
    /// The true positive rates, or recalls: TP / (TP + FN).
    pub tpr: Vec<f64>,
    /// The area under the curve.
    pub auc: f64,
}

impl RocCurve {
    pub(super) fn new(ranked: Ranked) -> Result<Self> {
        let undefined = "a class that some items have and others do not";
        let Some(auc) = roc_auc(Average::Macro).score(ranked.items.clone()) else {
            return Err(ranked.undefined(undefined));
        };
        let all: Vec<Step> = ranked.steps().collect();
        // A point lies between its neighbors if both rates go on as they came.
        let is_between = |i: usize| {
            let (before, at, after) = (all[i - 1], all[i], all[i + 1]);
            let even =
                |count: fn(Step) -> u64| count(at) - count(before) == count(after) - count(at);
            even(|step| step.right) && even(|step| step.wrong)
        };
        let ends = |i: usize| i == 0 || i + 1 == all.len();
        let kept = (0..all.len()).filter(|i| ends(*i) || !is_between(*i));
        let positive = ranked.positive();
        let negative = ranked.items.len() as u64 - positive;
        let mut curve = Self {
            class: ranked.class.clone(),
            thresholds: vec![f64::INFINITY],
            fpr: vec![0.0],
            tpr: vec![0.0],
            auc,
        };
        for step in kept.map(|i| all[i]) {
            curve.thresholds.push(step.threshold);
            curve.fpr.push(step.wrong as f64 / negative as f64);
            curve.tpr.push(step.right as f64 / positive as f64);
        }
        Ok(curve)
    }

    /// The points: false and true positive rate.
    pub fn points(&self) -> impl Iterator<Item = (f64, f64)> {
        self.fpr.iter().copied().zip(self.tpr.iter().copied())
    }

    /// The curve as CSV: `threshold,fpr,tpr`. The first threshold is `inf`.
    pub fn to_csv(&self) -> String {
        let mut table = String::from("threshold,fpr,tpr\n");
        for (threshold, (fpr, tpr)) in self.thresholds.iter().zip(self.points()) {
            let _ = writeln!(table, "{threshold},{fpr},{tpr}");
        }
        table
    }
}
