//! Metrics over the validation set.

use std::fmt;

use vision_data::{TargetKind, Targets};

mod counts;
mod multi_label;
mod named;
mod probabilities;
mod rank_correlation;
mod ranking;
mod regression;

pub use counts::{
    Average, CountMetric, Disagreement, balanced_accuracy, cohen_kappa, f_score, matthews,
    precision, recall,
};
pub use multi_label::{accuracy_thresh, fbeta};
pub use named::metric_named;
pub use probabilities::{
    CalibrationError, brier_score, calibration_error, log_loss, top_k_accuracy,
};
pub use rank_correlation::{RankCorrelation, spearman};
pub use ranking::{RankingMetric, average_precision, roc_auc};
pub use regression::{
    RegressionMetric, explained_variance, mae, mse, msle, pearson, r2_score, rmse, rmspe,
};

/// The raw outputs of one validation batch, on the host.
#[derive(Clone, Copy, Debug)]
pub struct Scores<'a> {
    /// Logits or predicted numbers, row-major `[items, classes]`.
    pub logits: &'a [f32],
    /// Number of outputs: of classes, or of numbers per item.
    pub classes: usize,
    /// The labels of the items.
    pub targets: &'a Targets,
}

impl Scores<'_> {
    /// The number of items.
    pub fn len(&self) -> usize {
        self.targets.len()
    }

    /// Whether there are no items.
    pub fn is_empty(&self) -> bool {
        self.targets.is_empty()
    }

    /// Whether there is a row of logits for each item. A learner passes no other batches.
    fn is_whole(&self) -> bool {
        self.classes > 0 && self.classes.checked_mul(self.len()) == Some(self.logits.len())
    }

    /// The class with the largest logit, for each item; ties go to the first.
    pub fn predicted(&self) -> impl Iterator<Item = usize> + '_ {
        self.logits.chunks(self.classes.max(1)).map(argmax)
    }
}

/// The index of the largest value; ties go to the first, and NaN never wins over a number.
pub fn argmax(row: &[f32]) -> usize {
    let mut best = 0;
    for (i, value) in row.iter().enumerate() {
        if *value > row[best] || (row[best].is_nan() && !value.is_nan()) {
            best = i;
        }
    }
    best
}

/// Whether larger or smaller values of a metric are better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Better {
    /// Larger values, as of an accuracy.
    Higher,
    /// Smaller values, as of a loss.
    Lower,
}

impl Better {
    /// Whether `value` is better than `than` by more than `margin`. NaN is not.
    pub fn is_better(self, value: f64, than: f64, margin: f64) -> bool {
        match self {
            Self::Higher => value - margin > than,
            Self::Lower => value + margin < than,
        }
    }
}

/// A metric: one number per epoch that measures the quality of the model.
///
/// The learner resets it at the beginning of each validation, updates it with every batch and reads its
/// value at the end. So it may be a mean over items or any other function of the whole set.
pub trait Metric: Send + Sync {
    /// Column name in the table and in `history.csv`.
    fn name(&self) -> String;

    /// The kind of label it expects; the learner checks it. Default: any.
    fn kind(&self) -> Option<TargetKind> {
        None
    }

    /// Whether it can measure labels of this kind. Default: those of [`kind`](Self::kind).
    fn accepts(&self, kind: TargetKind) -> bool {
        self.kind().is_none_or(|own| own == kind)
    }

    /// Whether larger or smaller values are better, for callbacks that keep the best. Default: larger.
    fn better(&self) -> Better {
        Better::Higher
    }

    /// Resets the state.
    fn reset(&mut self);

    /// Adds a batch.
    fn update(&mut self, batch: &Scores<'_>);

    /// The value over all batches since the last reset.
    fn value(&self) -> f64;
}

impl<M: Metric + ?Sized> Metric for Box<M> {
    fn name(&self) -> String {
        (**self).name()
    }

    fn kind(&self) -> Option<TargetKind> {
        (**self).kind()
    }

    fn accepts(&self, kind: TargetKind) -> bool {
        (**self).accepts(kind)
    }

    fn better(&self) -> Better {
        (**self).better()
    }

    fn reset(&mut self) {
        (**self).reset();
    }

    fn update(&mut self, batch: &Scores<'_>) {
        (**self).update(batch);
    }

    fn value(&self) -> f64 {
        (**self).value()
    }
}

/// A function of a batch, averaged over all items.
pub struct AverageMetric {
    name: String,
    kind: Option<TargetKind>,
    better: Better,
    of_batch: Box<dyn Fn(&Scores<'_>) -> f64 + Send + Sync>,
    sum: f64,
    items: usize,
}

impl AverageMetric {
    /// Creates a metric from a name and a function that returns a batch's mean.
    ///
    /// ```
    /// use vision_learner::AverageMetric;
    /// let always_seven = AverageMetric::new("seven", |_| 7.0);
    /// ```
    pub fn new(
        name: impl Into<String>,
        of_batch: impl Fn(&Scores<'_>) -> f64 + Send + Sync + 'static,
    ) -> Self {
        Self {
            name: name.into(),
            kind: None,
            better: Better::Higher,
            of_batch: Box::new(of_batch),
            sum: 0.0,
            items: 0,
        }
    }

    /// Sets the kind of label that the function expects. Default: any.
    pub fn for_kind(mut self, kind: TargetKind) -> Self {
        self.kind = Some(kind);
        self
    }

    /// Sets which values are better. Default: larger ones.
    pub fn with_better(mut self, better: Better) -> Self {
        self.better = better;
        self
    }
}

impl Metric for AverageMetric {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn kind(&self) -> Option<TargetKind> {
        self.kind
    }

    fn better(&self) -> Better {
        self.better
    }

    fn reset(&mut self) {
        (self.sum, self.items) = (0.0, 0);
    }

    fn update(&mut self, batch: &Scores<'_>) {
        // Weighted by the number of items, since the last batch may be smaller.
        self.sum += (self.of_batch)(batch) * batch.len() as f64;
        self.items += batch.len();
    }

    fn value(&self) -> f64 {
        self.sum / self.items as f64
    }
}

impl fmt::Debug for AverageMetric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AverageMetric({})", self.name)
    }
}

/// The fraction of items whose largest logit is that of the correct class.
pub fn accuracy() -> AverageMetric {
    AverageMetric::new("accuracy", share_right).for_kind(TargetKind::Category)
}

/// The error rate: 1 − accuracy.
pub fn error_rate() -> AverageMetric {
    AverageMetric::new("error_rate", |batch| 1.0 - share_right(batch))
        .for_kind(TargetKind::Category)
        .with_better(Better::Lower)
}

fn share_right(batch: &Scores<'_>) -> f64 {
    // Items without labels count as the first class, as in fastai. A learner passes no other kind of
    // label.
    let Ok(targets) = batch.targets.categories() else {
        return f64::NAN;
    };
    let pairs = batch.predicted().zip(targets);
    pairs.filter(|(p, t)| p == t).count() as f64 / batch.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(mut metric: impl Metric, batches: &[(&[f32], usize, &[usize])]) -> f64 {
        metric.reset();
        for (logits, classes, targets) in batches.iter().copied() {
            let targets = targets.iter().map(|t| *t as u32).collect();
            metric.update(&Scores {
                logits,
                classes,
                targets: &Targets::Category(targets),
            });
        }
        metric.value()
    }

    // fastai's tests/test_metrics.py: eye(5) against 0..4, and one column of [0, 1, 0, 0, 0] five times.
    #[test]
    fn accuracy_and_error_rate_give_the_values_of_fastais_tests() {
        let eye: Vec<f32> = (0..25).map(|i| f32::from(u8::from(i % 6 == 0))).collect();
        assert_eq!(value(accuracy(), &[(&eye, 5, &[0, 1, 2, 3, 4])]), 1.0);
        let ones = [0.0, 1.0, 0.0, 0.0, 0.0].repeat(5);
        let batch = [(&ones[..], 5, &[0usize, 1, 2, 3, 4][..])];
        assert_eq!(value(accuracy(), &batch), 0.2);
        assert!((value(error_rate(), &batch) - 0.8).abs() < 1e-12);
    }

    #[test]
    fn a_smaller_last_batch_counts_by_its_items() {
        let right = [0.0, 1.0];
        let wrong = [1.0, 0.0];
        let three = [right, right, wrong].concat();
        let batches = [(&three[..], 2, &[1usize, 1, 1][..]), (&right, 2, &[1])];
        assert_eq!(value(accuracy(), &batches), 0.75);
    }

    #[test]
    fn the_first_of_equal_logits_wins_and_nan_does_not() {
        assert_eq!(argmax(&[1.0, 1.0]), 0);
        assert_eq!(argmax(&[f32::NAN, 0.0, 2.0]), 2);
        assert_eq!(argmax(&[]), 0);
    }
}
