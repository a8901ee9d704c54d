//! The confident joint: how often items of a class have the label of another one.

use serde::Serialize;

use crate::label_errors::given::Given;
use crate::label_errors::rounding::{round_preserving_sum, sum};

/// How far below its threshold a probability may be, as in cleanlab: a rounding error decides nothing.
const TOLERANCE: f64 = 1e-6;

/// How often items that are of one class have the label of another one, estimated from the items of which the model is
/// sure.
///
/// Source: Northcutt, Jiang and Chuang, "Confident Learning: Estimating Uncertainty in Dataset Labels", 2021
/// (<https://arxiv.org/abs/1911.00068>), sections 3.1 and 3.2, as cleanlab 2.9 computes it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ConfidentJoint {
    /// The mean probability of each class over the items with its label. `None` for a class without items.
    pub thresholds: Vec<Option<f64>>,
    /// `counts[given][actual]`: the number of items with the label `given` whose probability of `actual` is at least
    /// its threshold. If that is true of several classes, the most probable class counts. At least 1 on the diagonal.
    pub counts: Vec<Vec<u64>>,
    /// The counts, scaled so that each row sums to the number of items with its label.
    pub calibrated: Vec<Vec<u64>>,
}

impl ConfidentJoint {
    pub(super) fn new(given: &Given<'_>) -> Self {
        let k = given.classes;
        let (mut sums, mut items) = (vec![0.0; k], vec![0_u64; k]);
        for (row, label) in given.labels.iter().enumerate() {
            sums[*label] += given.own(row);
            items[*label] += 1;
        }
        let means = sums.iter().zip(&items);
        let mean = |(sum, items): (&f64, &u64)| {
            (*items > 0).then(|| (sum / *items as f64).max(2.0 * TOLERANCE))
        };
        let mut joint = Self {
            thresholds: means.map(mean).collect(),
            counts: vec![vec![0; k]; k],
            calibrated: Vec::new(),
        };
        for (row, label) in given.labels.iter().enumerate() {
            if let Some(actual) = joint.confident(given, row) {
                joint.counts[*label][actual] += 1;
            }
        }
        for class in 0..k {
            joint.counts[class][class] = joint.counts[class][class].max(1);
        }
        joint.calibrated = calibrated(&joint.counts, &items);
        joint
    }

    /// The class of which an item is with confidence, if there is one.
    pub(super) fn confident(&self, given: &Given<'_>, row: usize) -> Option<usize> {
        let probabilities = given.row(row).iter().zip(&self.thresholds).enumerate();
        let mut sure = probabilities.filter(|(_, (p, threshold))| {
            threshold.is_some_and(|threshold| f64::from(**p) >= threshold - TOLERANCE)
        });
        let (first, _) = sure.next()?;
        match sure.next() {
            None => Some(first),
            Some(_) => Some(given.most_probable(row)),
        }
    }

    /// The estimated share of items whose label is wrong.
    pub(super) fn noise_rate(&self) -> f64 {
        let all: u64 = self.calibrated.iter().flatten().sum();
        let right: u64 = (0..self.calibrated.len())
            .map(|class| self.calibrated[class][class])
            .sum();
        (all - right) as f64 / all.max(1) as f64
    }

    /// For each given class, how many of its items are of each class, if each class is to keep at least one item.
    pub(super) fn to_prune(&self) -> Vec<Vec<u64>> {
        let rows = self.calibrated.iter().enumerate();
        rows.map(|(given, row)| {
            let right = row[given];
            let added = right.max(1) - right;
            let others = row
                .iter()
                .filter(|count| **count > 0)
                .count()
                .saturating_sub(1);
            let less = added as f64 / others.max(1) as f64;
            let reduced = row
                .iter()
                .map(|count| (*count as f64 - less).max(0.0) as u64);
            let mut reduced: Vec<u64> = reduced.collect();
            reduced[given] = right + added;
            reduced
        })
        .collect()
    }
}

fn calibrated(counts: &[Vec<u64>], items: &[u64]) -> Vec<Vec<u64>> {
    let scaled = counts.iter().zip(items).map(|(row, items)| {
        let whole: u64 = row.iter().sum();
        let scale = |count: &u64| *count as f64 / whole as f64 * *items as f64;
        row.iter().map(scale).collect()
    });
    let scaled: Vec<Vec<f64>> = scaled.collect();
    // In the order in which numpy stores them: actual class by actual class.
    let k = counts.len();
    let stored: Vec<f64> = (0..k * k).map(|at| scaled[at % k][at / k]).collect();
    let total: u64 = items.iter().sum();
    let whole = sum(&stored);
    let rows = scaled.iter().map(|row| {
        let row: Vec<f64> = row.iter().map(|v| v / whole * total as f64).collect();
        round_preserving_sum(&row)
    });
    rows.collect()
}
