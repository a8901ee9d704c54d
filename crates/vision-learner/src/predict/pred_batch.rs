//! Predictions for one batch.

use vision_data::Batch;

use crate::Result;
use crate::learner::Learner;
use crate::predict::predictions::Predictions;
use crate::train::batches::AnyBatch;
use crate::train::device_fault::guarded;
use crate::train::limits::check_outputs;

impl Learner {
    /// Predictions, losses and labels for a batch of the data, as it is: with the transforms of its part.
    ///
    /// ```no_run
    /// use vision_data::DatasetType;
    /// # fn predict(learner: &vision_learner::Learner) -> vision_learner::Result<()> {
    /// let batch = learner.data().one_batch(DatasetType::Valid)?;
    /// let predictions = learner.pred_batch(batch)?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// If the images do not fit the model, or the labels are of another kind than the data's.
    pub fn pred_batch(&self, batch: Batch) -> Result<Predictions> {
        let (model, batch) = (self.model.valid(), AnyBatch::Images(batch));
        let device = self.data().device();
        guarded(device, batch.indices().len(), || {
            let input = batch.input(self.data(), device);
            let logits = batch.run(&*model, input, &self.limits())?;
            check_outputs(&logits, self.data().c(), self.data().classes())?;
            let mut all = self.no_predictions();
            self.add(&mut all, &batch, logits)?;
            Ok(all)
        })
    }
}
