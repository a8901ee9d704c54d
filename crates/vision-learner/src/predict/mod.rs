//! Prediction and validation with a trained model.

mod cores;
pub(crate) mod folder;
mod many;
pub(crate) mod predictions;
pub(crate) mod predictor;
pub(crate) mod threshold;

use burn::tensor::Tensor;
use vision_data::{DatasetType, Image, Targets};
use vision_models::state::values;

use crate::learner::Learner;
use crate::metrics::Metric;
use crate::predict::predictions::{Prediction, Predictions};
use crate::train::batches::{AnyBatch, Batches};
use crate::train::limits::check_outputs;
use crate::train::scoring::{Scoring, batch_weight, scalar};
use crate::{Error, Result};

impl Learner {
    /// Computes the loss and the metrics over the validation set. Returns `[loss, metrics..]` with their
    /// names.
    ///
    /// # Errors
    ///
    /// If there is no validation set, or it cannot be read.
    pub fn validate(&mut self) -> Result<Vec<(String, f64)>> {
        let mut metrics = std::mem::take(&mut self.settings.metrics);
        let result = self.validate_with(DatasetType::Valid, &mut metrics);
        self.settings.metrics = metrics;
        result
    }

    /// Computes the loss and any metrics over any part of the data. Returns `[loss, metrics..]` with their names.
    ///
    /// # Errors
    ///
    /// If there is no such part of the data, or it cannot be read.
    pub fn validate_with(
        &self,
        part: DatasetType,
        metrics: &mut [Box<dyn Metric>],
    ) -> Result<Vec<(String, f64)>> {
        let mut scoring = Scoring::new(metrics);
        self.infer(part, |batch, logits| {
            let targets = batch.targets(self.data(), &logits.device())?;
            let weight = batch_weight(&*self.settings.loss, Some(targets.clone()), batch)?;
            let loss = scalar(&self.settings.loss.mean(logits.clone(), targets)?);
            scoring.add(metrics, loss, weight, logits, batch.labels());
            Ok(())
        })?;
        let (loss, values) = scoring.finish(metrics);
        let loss = ("valid_loss".to_owned(), loss.unwrap_or(f64::NAN));
        Ok(std::iter::once(loss).chain(values).collect())
    }

    /// Predictions (probabilities or numbers), losses and labels for a part of the data.
    ///
    /// For [`DatasetType::Train`] the order is shuffled (see `indices`) and the last, partial batch is
    /// missing. [`DatasetType::Fix`] gives every training item in order.
    ///
    /// # Errors
    ///
    /// If there is no such part of the data, or it cannot be read.
    pub fn get_preds(&self, part: DatasetType) -> Result<Predictions> {
        let mut all = Predictions {
            probabilities: Vec::new(),
            classes: self.data().c(),
            targets: Targets::Empty(0),
            losses: Vec::new(),
            indices: Vec::new(),
        };
        self.infer(part, |batch, logits| {
            let targets = batch.targets(self.data(), &logits.device())?;
            let losses = self.settings.loss.per_item(logits.clone(), targets)?;
            all.losses.extend(values(losses));
            let probabilities = values(self.settings.loss.activation(logits));
            let first = all.indices.len();
            all.probabilities
                .extend(finite(probabilities, self.data().c(), first)?);
            all.indices.extend(batch.indices());
            Ok(all.targets.extend(batch.labels())?)
        })?;
        Ok(all)
    }

    /// Predicts one image, after applying the validation transforms. The result is its class; if items
    /// have several classes, those with a probability of at least 0.5; or its numbers.
    ///
    /// # Errors
    ///
    /// If the image cannot be brought to the shape of a batch.
    pub fn predict(&self, image: &Image) -> Result<Prediction> {
        self.predict_with_threshold(image, 0.5)
    }

    /// [`predict`](Self::predict) with a different probability threshold. It matters only if items have
    /// several classes.
    ///
    /// # Errors
    ///
    /// As [`predict`](Self::predict), and [`Error::Option`] if the threshold is not from 0 to 1.
    pub fn predict_with_threshold(&self, image: &Image, threshold: f32) -> Result<Prediction> {
        self.predictor().predict_with_threshold(image, threshold)
    }

    /// Runs the model over a part of the data, on the plain (non-autodiff) device.
    fn infer(
        &self,
        part: DatasetType,
        mut each: impl FnMut(&AnyBatch, Tensor<2>) -> Result<()>,
    ) -> Result<()> {
        let model = self.model.valid();
        let device = self.data().device();
        let limits = self.limits();
        let features = self.usable_features();
        for batch in Batches::new(self.data(), features, part, self.epochs_trained, 0)? {
            let batch = batch?;
            let input = batch.input(self.data(), device);
            let logits = batch.run(&*model, input, &limits)?;
            check_outputs(&logits, self.data().c(), self.data().classes())?;
            each(&batch, logits)?;
        }
        Ok(())
    }
}

/// Rejects outputs that are NaN or infinite; `first` is the position of the first item.
fn finite(outputs: Vec<f32>, columns: usize, first: usize) -> Result<Vec<f32>> {
    match outputs.iter().position(|value| !value.is_finite()) {
        None => Ok(outputs),
        Some(at) => Err(Error::NotFinitePrediction {
            item: first + at / columns.max(1),
            found: outputs[at],
        }),
    }
}
