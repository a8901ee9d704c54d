//! Loss and metrics over a part of the data.

use burn::tensor::Tensor;
use vision_data::Targets;
use vision_models::state::values;

use crate::Result;
use crate::loss::Loss;
use crate::metrics::{Metric, Scores};
use crate::model::target::TargetTensor;
use crate::parallel::ranks::Ranks;
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

    /// Adds a batch, given its mean loss and the total weight of its items. With other processes, these are those of the whole
    /// batch, and so are the scores: each process sends its outputs to all. `labels` are those of the data set.
    pub(crate) fn add(
        &mut self,
        metrics: &mut [Box<dyn Metric>],
        (loss, weight): (f64, f64),
        logits: Tensor<2>,
        batch: &AnyBatch,
        whole: Option<(&Ranks, &Targets)>,
    ) -> Result<()> {
        self.loss += loss * weight;
        self.weight += weight;
        if metrics.is_empty() {
            return Ok(());
        }
        let classes = logits.dims()[1];
        let own = values(logits);
        let mut update = |logits: &[f32], targets: &Targets| {
            let scores = Scores {
                logits,
                classes,
                targets,
            };
            metrics.iter_mut().for_each(|metric| metric.update(&scores));
        };
        match whole {
            Some((ranks, labels)) => {
                let (logits, items) = gathered(ranks, own, batch)?;
                update(&logits, &labels.select(&items));
            }
            None => update(&own, batch.labels()),
        }
        Ok(())
    }

    /// The mean loss, and the name and value of every metric.
    pub(crate) fn finish(self, metrics: &[Box<dyn Metric>]) -> (Option<f64>, Vec<(String, f64)>) {
        let loss = (self.weight > 0.0).then(|| self.loss / self.weight);
        let metrics = metrics.iter().map(|m| (m.name(), m.value()));
        (loss, metrics.collect())
    }
}

/// The outputs for a whole batch, and the positions of its items.
fn gathered(ranks: &Ranks, logits: Vec<f32>, batch: &AnyBatch) -> Result<(Vec<f32>, Vec<usize>)> {
    let logits = if batch.is_blank() { Vec::new() } else { logits };
    let items: Vec<u64> = batch.indices().iter().map(|item| *item as u64).collect();
    let all = ranks.gather(bytemuck::cast_slice(&logits))?.concat();
    let logits = all
        .chunks_exact(4)
        .map(|bytes| f32::from_ne_bytes(bytes.try_into().unwrap_or_default()));
    let all = ranks.gather(bytemuck::cast_slice(&items))?.concat();
    let items = all
        .chunks_exact(8)
        .map(|bytes| u64::from_ne_bytes(bytes.try_into().unwrap_or_default()) as usize);
    Ok((logits.collect(), items.collect()))
}

/// The total weight of a batch in a mean of losses: the number of items, unless classes have weights.
/// Weighting this way makes the mean over a part independent of its division into batches.
pub(crate) fn batch_weight(
    loss: &dyn Loss,
    targets: Option<TargetTensor>,
    batch: &AnyBatch,
) -> Result<f64> {
    if batch.is_blank() {
        return Ok(0.0);
    }
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
