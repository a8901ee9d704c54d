//! Prediction and validation with a trained model.

mod cam;
pub(crate) mod cam_config;
mod cores;
pub(crate) mod embed;
pub(crate) mod embeddings;
pub(crate) mod files;
pub(crate) mod folder;
pub(crate) mod heatmap;
mod labeled;
pub(crate) mod many;
pub(crate) mod mc_dropout;
mod occlusion;
pub(crate) mod occlusion_config;
pub(crate) mod outputs;
mod pred_batch;
pub(crate) mod predictions;
pub(crate) mod predictor;
pub(crate) mod row;
pub(crate) mod threshold;
pub(crate) mod tta;
pub(crate) mod uncertainty;

use burn::tensor::Tensor;
use vision_data::{DatasetType, Image, ImageDataBunch, Targets};
use vision_models::state::values;

use crate::features::FeatureCache;
use crate::learner::Learner;
use crate::metrics::Metric;
use crate::predict::predictions::{Prediction, Predictions};
use crate::train::batches::{AnyBatch, Batches};
use crate::train::device_fault::guarded;
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
            scoring.add(metrics, (loss, weight), logits, batch, None)
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
        let mut all = self.no_predictions();
        self.infer(part, |batch, logits| self.add(&mut all, batch, logits))?;
        Ok(all)
    }

    /// [`get_preds`](Self::get_preds) of other data with the same classes.
    pub(crate) fn get_preds_of(
        &self,
        data: &ImageDataBunch,
        part: DatasetType,
    ) -> Result<Predictions> {
        let mut all = self.no_predictions();
        self.infer_on(data, None, part, |batch, logits| {
            self.add(&mut all, batch, logits)
        })?;
        Ok(all)
    }

    pub(crate) fn no_predictions(&self) -> Predictions {
        Predictions {
            probabilities: Vec::new(),
            classes: self.data().c(),
            targets: Targets::Empty(0),
            losses: Vec::new(),
            indices: Vec::new(),
        }
    }

    /// Adds the predictions for a batch.
    pub(crate) fn add(
        &self,
        all: &mut Predictions,
        batch: &AnyBatch,
        logits: Tensor<2>,
    ) -> Result<()> {
        let targets = batch.targets(self.data(), &logits.device())?;
        let losses = self.settings.loss.per_item(logits.clone(), targets)?;
        all.losses.extend(values(losses));
        let probabilities = values(self.settings.loss.activation(logits));
        let first = all.indices.len();
        all.probabilities
            .extend(finite(probabilities, self.data().c(), first)?);
        all.indices.extend(batch.indices());
        Ok(all.targets.extend(batch.labels())?)
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
    pub(crate) fn infer(
        &self,
        part: DatasetType,
        each: impl FnMut(&AnyBatch, Tensor<2>) -> Result<()>,
    ) -> Result<()> {
        self.infer_on(self.data(), self.usable_features(), part, each)
    }

    /// The same for other data with the same classes; `features` are those of this data.
    fn infer_on(
        &self,
        data: &ImageDataBunch,
        features: Option<&FeatureCache>,
        part: DatasetType,
        mut each: impl FnMut(&AnyBatch, Tensor<2>) -> Result<()>,
    ) -> Result<()> {
        let model = self.model.valid();
        let limits = self.limits();
        for batch in Batches::new(data, features, part, self.epochs_trained, 0, None)? {
            let batch = batch?;
            guarded(data.device(), batch.indices().len(), || {
                let input = batch.input(data, data.device());
                let logits = batch.run(&*model, input, &limits)?;
                check_outputs(&logits, self.data().c(), self.data().classes())?;
                each(&batch, logits)
            })?;
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
