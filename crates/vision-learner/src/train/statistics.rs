//! Computes running statistics anew.

use burn::tensor::Tensor;
use vision_data::DatasetType;
use vision_models::state::values;

use crate::Result;
use crate::parallel::part::Rows;
use crate::train::batches::{AnyBatch, Batches};
use crate::train::context::Context;
use crate::train::key::key;

impl Context<'_> {
    /// Computes the running statistics of batch norms anew for the weights as they are: the mean over the training
    /// batches of the current epoch, as PyTorch's `update_bn`. Statistics that training does not move stay.
    ///
    /// # Errors
    ///
    /// If an image cannot be read. The statistics are then as before.
    #[doc(alias = "update_bn")]
    pub fn recompute_statistics(&mut self) -> Result<()> {
        let own = self.model.buffers();
        let computed = self.statistics(&own);
        let new = match &computed {
            Ok(Some(new)) => new.clone(),
            _ => own,
        };
        self.model.restore_buffers(new);
        computed.map(|_| ())
    }

    /// The statistics over an epoch; `None` without batches.
    fn statistics(&mut self, own: &[Tensor<1>]) -> Result<Option<Vec<Tensor<1>>>> {
        if own.is_empty() {
            return Ok(None);
        }
        let filled = |value: f32| own.iter().map(|t| t.full_like(value)).collect::<Vec<_>>();
        let epoch = self.epoch_number();
        let data = self.data.clone();
        let (mut sums, mut momenta) = (filled(0.0), Vec::new());
        let mut batches = 0_usize;
        let (part, ranks) = (DatasetType::Train, self.fit.ranks);
        let mut all = Batches::new(&data, self.features, part, epoch, 0, ranks)?;
        while let Some(batch) = all.next() {
            let batch = batch?;
            let rows = all.rows(&batch);
            // A layer turns its statistic s into (1 − m)·s + m·b for the batch's statistic b: m·b from 0.
            let from_zero = self.after((&batch, rows), filled(0.0), batches)?;
            if batches == 0 {
                let from_one = self.after((&batch, rows), filled(1.0), batches)?;
                let pairs = from_one.into_iter().zip(&from_zero);
                let momentum = |(one, zero): (Tensor<1>, &Tensor<1>)| {
                    let kept = values((one - zero.clone()).mean());
                    1.0 - kept.first().map_or(1.0, |kept| f64::from(*kept))
                };
                momenta = pairs.map(momentum).collect();
            }
            sums = sums
                .into_iter()
                .zip(from_zero)
                .map(|(a, b)| a + b)
                .collect();
            batches += 1;
        }
        let new = sums
            .into_iter()
            .zip(momenta)
            .zip(own)
            .map(|((sum, momentum), own)| {
                // Not moved: frozen, or nothing of a batch norm.
                match momentum > 1e-4 {
                    true => sum.div_scalar(momentum * batches as f64),
                    false => own.clone(),
                }
            });
        Ok((batches > 0).then(|| new.collect()))
    }

    /// The statistics after a forward pass in training, which began with others.
    fn after(
        &mut self,
        (batch, rows): (&AnyBatch, Rows),
        begin: Vec<Tensor<1>>,
        number: usize,
    ) -> Result<Vec<Tensor<1>>> {
        let device = self.data.device().clone().autodiff();
        self.model.restore_buffers(begin);
        let key = key(self.fit.seed, self.epoch_number(), number as u64);
        self.fit.dropout.rewind(key);
        let input = batch.input(&self.data, &device);
        self.fit
            .in_share(batch, rows, || self.fit.run(batch, &**self.model, input))?;
        self.average_statistics(rows.own)?;
        Ok(self.model.buffers())
    }
}
