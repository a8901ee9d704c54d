//! Loss and metrics over a part of the data.

use burn::tensor::Tensor;
use vision_data::Targets;
use vision_models::state::values;

use crate::Result;
use crate::loss::Loss;
use crate::metrics::{Metric, Scores};
use crate::model::target::TargetTensor;
use crate::train::batches::AnyBatch;

/// Accumulates loss and metrics over a part of the data, batch by batch.
pub(crate) struct Scoring {
    loss: f64,
    /// Total weight of all batches in the loss.
    weight: f64,
}

impl Scoring {
    pub(crate) fn new(metrics: &mut [Box<dyn Metric>]) -> Self {
        metrics.iter_mut().for_each(|metric| metric.reset());
        Self {
            loss: 0.0,
            weight: 0.0,
        }
    }

    /// Adds a batch, given its mean loss and the total weight of its items.
    pub(crate) fn add(
        &mut self,
        metrics: &mut [Box<dyn Metric>],
        loss: f64,
        weight: f64,
        logits: Tensor<2>,
        targets: &Targets,
    ) {
        self.loss += loss * weight;
        self.weight += weight;
        if metrics.is_empty() {
            return;
        }
        let classes = logits.dims()[1];
        let logits = values(logits);
        let scores = Scores {
            logits: &logits,
            classes,
            targets,
        };
        metrics.iter_mut().for_each(|metric| metric.update(&scores));
    }

    /// The mean loss, and the name and value of every metric.
    pub(crate) fn finish(self, metrics: &[Box<dyn Metric>]) -> (Option<f64>, Vec<(String, f64)>) {
        let loss = (self.weight > 0.0).then(|| self.loss / self.weight);
        let metrics = metrics.iter().map(|m| (m.name(), m.value()));
        (loss, metrics.collect())
    }
}

/// The total weight of a batch in a mean of losses: the number of items, unless classes have weights.
/// Weighting this way makes the mean over a part independent of its division into batches.
pub(crate) fn batch_weight(
    loss: &dyn Loss,
    targets: Option<TargetTensor>,
    batch: &AnyBatch,
) -> Result<f64> {
    let weights = match targets {
        Some(targets) => loss.item_weights(targets)?,
        None => None,
    };
    Ok(weights.map_or(batch.labels().len() as f64, |weights| {
        scalar(&weights.sum())
    }))
}

/// Reads a tensor of one value from the device.
pub(crate) fn scalar(tensor: &Tensor<1>) -> f64 {
    // Exact: training computes in f32.
    values(tensor.clone())
        .first()
        .map_or(f64::NAN, |v| f64::from(*v))
}
