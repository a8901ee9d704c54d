//! Steps of which several processes each do a part.

use std::sync::Arc;

use burn::tensor::{Tensor, TensorData};
use vision_kernels::ops;
use vision_models::state::values;

use crate::Result;
use crate::parallel::norm::NormSums;
use crate::parallel::part::Rows;
use crate::parallel::traffic::Purpose;
use crate::train::batches::AnyBatch;
use crate::train::context::{Context, Fit};

/// The loss of a whole batch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WholeLoss {
    /// The mean over its items.
    pub(crate) mean: f64,
    /// The total weight of its items.
    pub(crate) weight: f64,
    /// By how much the mean of the items here counts in it.
    pub(crate) factor: f64,
}

impl Fit<'_> {
    /// Runs `work`, a pass of the model over the rows of a batch that are here, so that random masks and batch norms are
    /// those of the whole batch.
    pub(crate) fn in_share<R>(
        &self,
        batch: &AnyBatch,
        rows: Rows,
        work: impl FnOnce() -> Result<R>,
    ) -> Result<R> {
        let Some(ranks) = self.ranks else {
            return work();
        };
        let own = rows.own.max(1);
        let work = || self.dropout.with_rows(rows.first, own, work);
        let result = if ranks.synchronized {
            let sums = NormSums {
                ranks: Arc::clone(ranks),
                blank: batch.is_blank(),
            };
            ops::across(Arc::new(sums), work)
        } else {
            work()
        };
        ranks.check()?;
        result
    }

    /// The loss of the whole batch, from the mean and the total weight of the items here. `None` for a process alone.
    pub(crate) fn whole_loss(&self, mean: f64, weight: f64) -> Result<Option<WholeLoss>> {
        let Some(ranks) = self.ranks else {
            return Ok(None);
        };
        let product = if weight > 0.0 { mean * weight } else { 0.0 };
        let mut sums = [product, weight];
        ranks.sum(Purpose::Other, &mut sums)?;
        let [sum, all] = sums;
        // If all items have weight 0, the loss is 0.
        let part = |value: f64| if all > 0.0 { value / all } else { 0.0 };
        Ok(Some(WholeLoss {
            mean: part(sum),
            weight: all,
            factor: part(weight),
        }))
    }
}

impl Context<'_> {
    /// Replaces gradients by their sums over all processes, and the statistics of local batch norms by their means.
    pub(crate) fn share_gradients(&mut self, own: usize) -> Result<()> {
        let (Some(ranks), Some(grads)) = (self.fit.ranks, &mut self.state.grads) else {
            return Ok(());
        };
        // Batch norms have passed their sums on in the backward pass.
        ranks.check()?;
        let mut all: Vec<Tensor<1>> = Vec::new();
        self.model.map_gradients(grads, &mut |_, grad| {
            all.push(grad.clone());
            grad
        });
        if !all.is_empty() {
            let lens = all.iter().map(|grad| grad.dims()[0]).collect();
            // One tensor, so that a GPU is read once.
            let mut all = Tensor::cat(all, 0);
            if own == 0 {
                // What stands in for a batch gets gradients through the statistics of batch norms.
                all = all.zeros_like();
            }
            let sums = ranks.sum_gradients(all)?.split_with_sizes(lens, 0);
            let mut sums = sums.into_iter();
            self.model
                .map_gradients(grads, &mut |_, grad| sums.next().unwrap_or(grad));
        }
        self.average_statistics(own)
    }

    /// Replaces the statistics of local batch norms by their means over all processes, weighted by their `own` items.
    pub(crate) fn average_statistics(&mut self, own: usize) -> Result<()> {
        let Some(ranks) = self.fit.ranks.filter(|ranks| !ranks.synchronized) else {
            return Ok(());
        };
        let before = self.model.buffers();
        let weight = own as f64;
        let each = |tensor: &Tensor<1>| values(tensor.clone());
        let own: Vec<f32> = before.iter().flat_map(each).collect();
        // What a process without an item has moved counts nothing, finite or not.
        let weighted = |value: f32| {
            if weight > 0.0 {
                f64::from(value) * weight
            } else {
                0.0
            }
        };
        let mut sums: Vec<f64> = own.into_iter().map(weighted).collect();
        sums.push(weight);
        ranks.sum(Purpose::BatchNorms, &mut sums)?;
        let all = sums.pop().unwrap_or(0.0);
        if all <= 0.0 {
            return Ok(());
        }
        let mut means = sums.into_iter().map(|sum| (sum / all) as f32);
        let averaged = before.into_iter().map(|tensor| {
            let len = tensor.dims()[0];
            let now: Vec<f32> = means.by_ref().take(len).collect();
            Tensor::from_data(TensorData::new(now, [len]), &tensor.device())
        });
        let averaged = averaged.collect();
        self.model.restore_buffers(averaged);
        Ok(())
    }

    /// Lets all processes do what one of them wants: skip, or stop.
    pub(crate) fn agree(&mut self) -> Result<()> {
        let Some(ranks) = self.fit.ranks else {
            return Ok(());
        };
        let state = &mut self.state;
        let flags = [
            state.skip_backward,
            state.skip_step,
            state.skip_validate,
            state.stop_epoch,
            state.stop_training,
        ];
        [
            state.skip_backward,
            state.skip_step,
            state.skip_validate,
            state.stop_epoch,
            state.stop_training,
        ] = ranks.any(flags)?;
        Ok(())
    }
}
