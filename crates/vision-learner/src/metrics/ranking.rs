//! Metrics of the order in which probabilities put the items.

use vision_data::{TargetKind, Targets};

use super::counts::Average;
use super::probabilities::softmax;
use super::{Metric, Scores};

/// A metric of the order of the items, class by class against the rest: [`roc_auc`],
/// [`average_precision`]. It keeps the scores of all items: 16 bytes per item and class.
#[derive(Clone, Debug)]
pub struct RankingMetric {
    of: Of,
    average: Average,
    /// Per class, the score of each item and whether it is of the class.
    classes: Vec<Vec<(f64, bool)>>,
}

#[derive(Clone, Copy, Debug)]
enum Of {
    RocAuc,
    AveragePrecision,
}

/// The area under the ROC curve: the probability that an item of a class gets a higher probability for it
/// than another item. For one or several classes per item. A class that all items have, or none, is left
/// out.
#[doc(alias = "AUROC")]
pub fn roc_auc(average: Average) -> RankingMetric {
    RankingMetric::new(Of::RocAuc, average)
}

/// The average precision: the precision at each item of a class in the order of its probability, averaged.
/// For one or several classes per item. A class without items is left out.
#[doc(alias = "APScore")]
pub fn average_precision(average: Average) -> RankingMetric {
    RankingMetric::new(Of::AveragePrecision, average)
}

impl RankingMetric {
    fn new(of: Of, average: Average) -> Self {
        Self {
            of,
            average,
            classes: Vec::new(),
        }
    }

    /// The value for one class, from the score of each item and whether the item is of the class.
    /// scikit-learn's `roc_auc_score`, where a tie counts half, or `average_precision_score`, where items
    /// that tie count together. `None` if no item is of the class, for ROC AUC also if all are, or if a score
    /// is NaN.
    pub fn score(&self, mut items: Vec<(f64, bool)>) -> Option<f64> {
        let positive = items.iter().filter(|item| item.1).count() as f64;
        let negative = items.len() as f64 - positive;
        let weight = match self.of {
            Of::RocAuc => positive * negative,
            Of::AveragePrecision => positive,
        };
        if weight == 0.0 || items.iter().any(|item| item.0.is_nan()) {
            return None;
        }
        items.sort_by(|a, b| b.0.total_cmp(&a.0));
        // Items of the class and all items so far, and the sum to be averaged.
        let (mut hits, mut above, mut sum) = (0.0, 0.0, 0.0);
        for ties in items.chunk_by(|a, b| a.0 == b.0) {
            let right = ties.iter().filter(|item| item.1).count() as f64;
            let wrong = ties.len() as f64 - right;
            hits += right;
            above += ties.len() as f64;
            sum += match self.of {
                Of::RocAuc => wrong * (hits - right / 2.0),
                Of::AveragePrecision => right * hits / above,
            };
        }
        Some(sum / weight)
    }
}

impl Metric for RankingMetric {
    fn name(&self) -> String {
        self.average.name(match self.of {
            Of::RocAuc => "roc_auc",
            Of::AveragePrecision => "average_precision",
        })
    }

    fn reset(&mut self) {
        self.classes.clear();
    }

    fn accepts(&self, kind: TargetKind) -> bool {
        kind != TargetKind::Float
    }

    fn update(&mut self, batch: &Scores<'_>) {
        if !batch.is_whole() || ![0, batch.classes].contains(&self.classes.len()) {
            return;
        }
        self.classes.resize(batch.classes, Vec::new());
        let several = matches!(batch.targets, Targets::MultiCategory(_));
        let is_of = batch.targets.rows();
        let Ok(categories) = several
            .then(Vec::new)
            .map_or_else(|| batch.targets.categories(), Ok)
        else {
            // A learner passes no other kind of label.
            return;
        };
        for (item, logits) in batch.logits.chunks(batch.classes.max(1)).enumerate() {
            // The sigmoid keeps the order of the logits; the softmax compares classes first.
            let scores = match several {
                true => logits.iter().map(|l| f64::from(*l)).collect::<Vec<_>>(),
                false => softmax(logits).collect(),
            };
            for (class, (score, items)) in scores.into_iter().zip(&mut self.classes).enumerate() {
                let is_of = match several {
                    true => is_of
                        .get(item * batch.classes + class)
                        .is_some_and(|is| *is > 0.5),
                    false => categories[item] == class,
                };
                items.push((score, is_of));
            }
        }
    }

    fn value(&self) -> f64 {
        // Not a class to leave out, but a model that is broken.
        if self.classes.iter().flatten().any(|item| item.0.is_nan()) {
            return f64::NAN;
        }
        let value = |items: &Vec<(f64, bool)>| self.score(items.clone()).unwrap_or(f64::NAN);
        let count = |items: &Vec<(f64, bool)>| items.iter().filter(|item| item.1).count() as f64;
        match self.average {
            Average::Class(class) => self.classes.get(class).map_or(f64::NAN, value),
            Average::Micro => value(&self.classes.concat()),
            Average::Macro | Average::Weighted => {
                let (mut sum, mut total) = (0.0, 0.0);
                for items in &self.classes {
                    let weight = match self.average {
                        Average::Weighted => count(items),
                        _ => 1.0,
                    };
                    if let Some(value) = self.score(items.clone()) {
                        sum += weight * value;
                        total += weight;
                    }
                }
                sum / total
            }
        }
    }
}
