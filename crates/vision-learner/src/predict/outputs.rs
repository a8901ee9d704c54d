//! From predictions back to outputs of a model.

use burn::tensor::{Tensor, TensorData};
use vision_data::{TargetKind, Targets};
use vision_models::state::values;

use crate::Result;
use crate::learner::Learner;
use crate::model::target::TargetTensor;

/// Rows whose losses are computed at once.
const ROWS: usize = 1024;

/// Outputs that have these predictions: the logarithm of the probabilities for one class per item, whose softmax they
/// are; the logit for several; the numbers themselves. A probability of 0 counts as the smallest positive number, and
/// one of 1 of several classes as the largest below it.
pub(crate) fn outputs_of(kind: TargetKind, predictions: &[f32]) -> Vec<f32> {
    let output = |p: &f32| match kind {
        TargetKind::Category => p.max(f32::MIN_POSITIVE).ln(),
        TargetKind::MultiCategory => {
            let p = f64::from(p.clamp(f32::MIN_POSITIVE, 1.0 - f32::EPSILON / 2.0));
            (p / (1.0 - p)).ln() as f32
        }
        TargetKind::Float => *p,
    };
    predictions.iter().map(output).collect()
}

impl Learner {
    /// The loss of each item for these predictions, row-major `[items, classes]`.
    pub(crate) fn losses_of(&self, predictions: &[f32], targets: &Targets) -> Result<Vec<f32>> {
        let (kind, c, device) = (self.data().kind(), self.data().c(), self.data().device());
        let outputs = outputs_of(kind, predictions);
        let mut losses = Vec::with_capacity(targets.len());
        for (chunk, rows) in outputs.chunks(ROWS * c.max(1)).enumerate() {
            let items = rows.len() / c.max(1);
            let items: Vec<usize> = (0..items).map(|item| chunk * ROWS + item).collect();
            let outputs =
                Tensor::from_data(TensorData::new(rows.to_vec(), [items.len(), c]), device);
            let targets = TargetTensor::new(&targets.select(&items), kind, c, device)?;
            losses.extend(values(self.settings.loss.per_item(outputs, targets)?));
        }
        Ok(losses)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // The softmax of ln p is p, and the sigmoid of ln(p / (1 - p)) is p.
    #[test]
    fn the_activation_of_the_outputs_gives_the_predictions_back() {
        let p = [0.7, 0.2, 0.1];
        let outputs = outputs_of(TargetKind::Category, &p);
        let sum: f32 = outputs.iter().map(|o| o.exp()).sum();
        for (output, p) in outputs.iter().zip(p) {
            assert!((output.exp() / sum - p).abs() < 1e-6, "{output}");
        }
        for (output, p) in outputs_of(TargetKind::MultiCategory, &p).iter().zip(p) {
            assert!((1.0 / (1.0 + (-output).exp()) - p).abs() < 1e-6, "{output}");
        }
        assert_eq!(outputs_of(TargetKind::Float, &p), p);
    }

    #[test]
    fn probabilities_of_0_and_1_have_finite_outputs() {
        for kind in [TargetKind::Category, TargetKind::MultiCategory] {
            for output in outputs_of(kind, &[0.0, 1.0]) {
                assert!(
                    output.is_finite() && output.abs() < 90.0,
                    "{kind:?}: {output}"
                );
            }
        }
    }
}
