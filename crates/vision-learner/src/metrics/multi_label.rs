//! Metrics for several classes per item.

use vision_data::TargetKind;

use super::{AverageMetric, Scores};

/// The fraction of correct answers over items and classes. An answer is correct if the class's
/// probability is above `threshold` exactly when the item has the class. fastai's `accuracy_thresh`,
/// whose threshold is 0.5.
pub fn accuracy_thresh(threshold: f32) -> AverageMetric {
    AverageMetric::new("accuracy_thresh", move |batch| {
        let targets = batch.targets.rows();
        let right = batch
            .logits
            .iter()
            .zip(&targets)
            .filter(|(logit, target)| (sigmoid(**logit) > threshold) == (**target > 0.5));
        right.count() as f64 / batch.logits.len() as f64
    })
    .for_kind(TargetKind::MultiCategory)
}

/// The F-beta score: the mean over items of `(1 + β²) p r / (β² p + r)`. The precision p and the recall
/// r are those of the classes whose probability is above `threshold`. fastai's `fbeta`, whose threshold
/// is 0.2 and whose β is 2, which weights recall higher.
#[doc(alias = "f1_score")]
pub fn fbeta(threshold: f32, beta: f64) -> AverageMetric {
    const EPS: f64 = 1e-9;
    AverageMetric::new("fbeta", move |batch| {
        let targets = batch.targets.rows();
        let rows = batch.logits.chunks(batch.classes.max(1));
        let pairs = rows.zip(targets.chunks(batch.classes.max(1)));
        let score = |(logits, targets): (&[f32], &[f32])| {
            let (mut hits, mut predicted, mut actual) = (0.0, 0.0, 0.0);
            for (logit, target) in logits.iter().zip(targets) {
                let (says, is) = (sigmoid(*logit) > threshold, *target > 0.5);
                hits += f64::from(says && is);
                predicted += f64::from(says);
                actual += f64::from(is);
            }
            let (precision, recall) = (hits / (predicted + EPS), hits / (actual + EPS));
            let beta = beta * beta;
            precision * recall / (precision * beta + recall + EPS) * (1.0 + beta)
        };
        pairs.map(score).sum::<f64>() / Scores::len(batch) as f64
    })
    .for_kind(TargetKind::MultiCategory)
}

fn sigmoid(logit: f32) -> f32 {
    1.0 / (1.0 + (-logit).exp())
}

#[cfg(test)]
mod tests {
    use vision_data::{MultiLabels, Targets};

    use super::*;
    use crate::metrics::Metric;

    fn value(mut metric: AverageMetric, logits: &[f32], rows: &[&[usize]]) -> f64 {
        let classes = logits.len() / rows.len();
        let mut labels = MultiLabels::new(classes);
        for row in rows {
            labels.push(row.iter().copied()).unwrap();
        }
        metric.reset();
        metric.update(&Scores {
            logits,
            classes,
            targets: &Targets::MultiCategory(labels),
        });
        metric.value()
    }

    // Values from fastai v1's tests/test_metrics.py and its documentation.
    #[test]
    fn the_metrics_of_several_classes_give_fastais_values() {
        let line = [0.0, 0.25, 0.5, 0.75, 1.0];
        let all: &[usize] = &[0, 1, 2, 3, 4];
        let found = value(accuracy_thresh(0.5), &line, &[all]);
        assert!((found - 0.8).abs() < 1e-12, "{found}");
        let ten: Vec<usize> = (0..10).collect();
        let found = value(fbeta(0.2, 2.0), &[1.0; 10], &[&ten]);
        assert!((found - 1.0).abs() < 1e-7, "{found}");
        assert_eq!(value(fbeta(0.2, 2.0), &[0.0; 10], &[&[]]), 0.0);
        // Probabilities [.6, .8, .2, .4, .9], which have these logits.
        let logits = [0.6_f32, 0.8, 0.2, 0.4, 0.9].map(|p| (p / (1.0 - p)).ln());
        let found = value(fbeta(0.5, 2.0), &logits, &[&[0, 3, 4]]);
        assert!((found - 0.6667).abs() < 1e-4, "{found}");
    }

    // By hand: item 0 has 1 of its 2 and no other (p 1, r 1/2), item 1 its 1 and 1 more (p 1/2, r 1).
    #[test]
    fn fbeta_is_a_mean_over_items_and_accuracy_thresh_over_all() {
        let logits = [3.0, -3.0, -3.0, 3.0, 3.0, -3.0];
        let rows: [&[usize]; 2] = [&[0, 1], &[0]];
        let expected = (5.0 * 0.5 / 4.5 + 5.0 * 0.5 / 3.0) / 2.0;
        assert!((value(fbeta(0.5, 2.0), &logits, &rows) - expected).abs() < 1e-7);
        assert!((value(accuracy_thresh(0.5), &logits, &rows) - 4.0 / 6.0).abs() < 1e-12);
    }
}
