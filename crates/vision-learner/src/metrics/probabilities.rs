//! Metrics of the probabilities themselves: one class per item.

use vision_data::TargetKind;

use super::{AverageMetric, Better, Metric, Scores};

/// The fraction of items whose class is among the `k` with the largest logits; of equal logits the first
/// class comes first.
pub fn top_k_accuracy(k: usize) -> AverageMetric {
    of_items(format!("top_{k}_accuracy"), move |logits, class| {
        let own = logits[class];
        let before = |(other, logit): (usize, &f32)| *logit > own || *logit == own && other < class;
        let rank = logits
            .iter()
            .enumerate()
            .filter(|item| before(*item))
            .count();
        f64::from(rank < k)
    })
}

/// The mean of −log p of the actual class (scikit-learn's `log_loss`).
pub fn log_loss() -> AverageMetric {
    of_items("log_loss".to_owned(), |logits, class| {
        let most = f64::from(logits.iter().copied().fold(f32::NEG_INFINITY, f32::max));
        let sum: f64 = logits.iter().map(|l| (f64::from(*l) - most).exp()).sum();
        sum.ln() + most - f64::from(logits[class])
    })
    .with_better(Better::Lower)
}

/// The Brier score: the mean of Σ (p − y)² over the classes, where y is 1 for the actual class. For two
/// classes half of it, which is (p₁ − y₁)², as scikit-learn's `brier_score_loss`.
pub fn brier_score() -> AverageMetric {
    of_items("brier_score".to_owned(), |logits, class| {
        let off = |(k, p): (usize, f64)| (p - f64::from(k == class)).powi(2);
        let sum: f64 = softmax(logits).enumerate().map(off).sum();
        if logits.len() == 2 { sum / 2.0 } else { sum }
    })
    .with_better(Better::Lower)
}

fn of_items(
    name: String,
    of: impl Fn(&[f32], usize) -> f64 + Send + Sync + 'static,
) -> AverageMetric {
    AverageMetric::new(name, move |batch| {
        // A learner passes no other batches.
        let targets = batch.targets.categories().ok();
        let fit = |targets: &Vec<usize>| targets.iter().all(|class| *class < batch.classes);
        let Some(targets) = targets.filter(|targets| batch.is_whole() && fit(targets)) else {
            return f64::NAN;
        };
        let rows = batch.logits.chunks(batch.classes.max(1));
        let sum: f64 = rows
            .zip(targets)
            .map(|(logits, class)| of(logits, class))
            .sum();
        sum / Scores::len(batch) as f64
    })
    .for_kind(TargetKind::Category)
}

/// The probabilities of the classes, in 64 bits.
pub(super) fn softmax(logits: &[f32]) -> impl Iterator<Item = f64> + '_ {
    let most = f64::from(logits.iter().copied().fold(f32::NEG_INFINITY, f32::max));
    let power = move |logit: &f32| (f64::from(*logit) - most).exp();
    let sum: f64 = logits.iter().map(power).sum();
    logits.iter().map(move |logit| power(logit) / sum)
}

/// The expected calibration error (Guo et al. 2017, <https://arxiv.org/abs/1706.04599>):
/// [`calibration_error`].
#[derive(Clone, Debug)]
pub struct CalibrationError {
    /// Per bin: items, sum of confidences, right predictions.
    bins: Vec<[f64; 3]>,
}

/// How far the confidence is from the accuracy: predictions are put into `bins` equal intervals by the
/// probability of the predicted class, and the differences of mean confidence and accuracy are averaged,
/// weighted by items. 15 bins are usual; numbers outside 1 to 10,000 count as the nearest of these.
#[doc(alias = "ece")]
pub fn calibration_error(bins: usize) -> CalibrationError {
    CalibrationError {
        bins: vec![[0.0; 3]; bins.clamp(1, 10_000)],
    }
}

impl CalibrationError {
    /// Of each bin, the number of items, the sum of their confidences, and the number of right predictions.
    pub(crate) fn bins(&self) -> impl Iterator<Item = [f64; 3]> + '_ {
        self.bins.iter().copied()
    }
}

impl Metric for CalibrationError {
    fn name(&self) -> String {
        "calibration_error".to_owned()
    }

    fn kind(&self) -> Option<TargetKind> {
        Some(TargetKind::Category)
    }

    fn better(&self) -> Better {
        Better::Lower
    }

    fn reset(&mut self) {
        self.bins.fill([0.0; 3]);
    }

    fn update(&mut self, batch: &Scores<'_>) {
        if !batch.is_whole() {
            return;
        }
        // A learner passes no other kind of label.
        let targets = batch.targets.categories().unwrap_or_default();
        let rows = batch.logits.chunks(batch.classes.max(1));
        for ((logits, predicted), actual) in rows.zip(batch.predicted()).zip(targets) {
            let confidence = softmax(logits).fold(0.0, f64::max);
            // Intervals without their lower end.
            let bin = (confidence * self.bins.len() as f64).ceil() as usize;
            let bin = bin.clamp(1, self.bins.len()) - 1;
            let [items, sum, right] = &mut self.bins[bin];
            *items += 1.0;
            *sum += confidence;
            *right += f64::from(predicted == actual);
        }
    }

    fn value(&self) -> f64 {
        let items: f64 = self.bins.iter().map(|bin| bin[0]).sum();
        let off: f64 = self
            .bins
            .iter()
            .map(|[_, sum, right]| (sum - right).abs())
            .sum();
        off / items
    }
}
