//! What callbacks can read, change and do at each event.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use burn::tensor::{Device, Tensor};
use vision_data::{DatasetType, ImageDataBunch, ImageDefaults};
use vision_models::layers::RandomStream;
use vision_models::state::{Entry, NamedTensor, values};

use crate::checkpoint::place::{check_ours, checkpoint_path, make_folder};
use crate::checkpoint::snapshot::{Extra, Snapshot};
use crate::features::FeatureCache;
use crate::loss::Loss;
use crate::metrics::{Better, Metric};
use crate::model::any_model::AnyModel;
use crate::model::sides::Sides;
use crate::optim::GroupedOptimizer;
use crate::parallel::ranks::Ranks;
use crate::train::batches::{AnyBatch, Batches};
use crate::train::limits::{ImageLimits, Trial, check_data, check_outputs, with_defaults};
use crate::train::precision::Precision;
use crate::train::recorder::Recorder;
use crate::train::scoring::{Scoring, batch_weight, scalar};
use crate::train::state::State;
use crate::{Error, Result};

/// What callbacks can read, change and do at each event.
pub struct Context<'a> {
    /// The position in the run.
    pub state: State,
    /// Learning rate, momentum and weight decay of each layer group.
    pub optimizer: &'a mut GroupedOptimizer,
    pub(crate) model: &'a mut Box<dyn AnyModel>,
    pub(crate) metrics: &'a mut [Box<dyn Metric>],
    pub(crate) data: ImageDataBunch,
    pub(crate) features: Option<&'a FeatureCache>,
    /// The history of this fit.
    pub(crate) recorder: Recorder,
    pub(crate) fit: Fit<'a>,
}

/// What does not change during a fit.
pub(crate) struct Fit<'a> {
    /// The learner's data.
    pub(crate) data: &'a ImageDataBunch,
    pub(crate) loss: &'a dyn Loss,
    pub(crate) dropout: &'a RandomStream,
    pub(crate) seed: u64,
    /// Epochs trained before this fit; the order and augmentation of an epoch depend on its number.
    pub(crate) epochs_before: u64,
    /// First epoch of this fit.
    pub(crate) start_epoch: usize,
    /// The history of the fits before this one.
    pub(crate) history_before: &'a Recorder,
    pub(crate) groups: &'a [Vec<Entry>],
    pub(crate) arch: &'a str,
    pub(crate) sides: Sides,
    pub(crate) precision: Precision,
    pub(crate) trial: &'a Trial,
    /// The plain device.
    pub(crate) device: Device,
    /// The folder of the learner.
    pub(crate) path: &'a Path,
    /// The folder of saved models.
    pub(crate) model_dir: PathBuf,
    pub(crate) silent: bool,
    pub(crate) scheduled: bool,
    /// The images that the weights were trained on, if they say so.
    pub(crate) images: Option<&'a ImageDefaults>,
    /// The processes that train together; `None` for one alone.
    pub(crate) ranks: Option<&'a Arc<Ranks>>,
}

impl Fit<'_> {
    pub(crate) fn limits(&self) -> ImageLimits<'_> {
        ImageLimits {
            arch: self.arch,
            sides: self.sides,
            trial: self.trial,
            device: &self.device,
        }
    }

    /// The outputs of a model for a batch, `[batch, outputs]`, computed in the precision of the fit.
    pub(crate) fn run(
        &self,
        batch: &AnyBatch,
        model: &dyn AnyModel,
        input: Tensor<4>,
    ) -> Result<Tensor<2>> {
        let input = self.precision.lower(input);
        let logits = batch.run(model, input, &self.limits())?;
        Ok(self.precision.raise(logits))
    }
}

impl Context<'_> {
    /// The data.
    pub fn data(&self) -> &ImageDataBunch {
        &self.data
    }

    /// Replaces the data for the rest of this fit, from the next epoch on, or from this one at `on_epoch_begin`. Cached
    /// features are no longer used.
    ///
    /// # Errors
    ///
    /// As [`Learner::set_data`](crate::Learner::set_data).
    pub fn set_data(&mut self, data: ImageDataBunch) -> Result<()> {
        check_data(&data, &self.data)?;
        let data = with_defaults(data, self.fit.images)?;
        self.data = data.with_seed(self.fit.seed);
        self.features = None;
        Ok(())
    }

    /// The history of this fit so far.
    pub fn recorder(&self) -> &Recorder {
        &self.recorder
    }

    /// The folder of the learner: [`path`](crate::LearnerBuilder::path).
    pub fn path(&self) -> &Path {
        self.fit.path
    }

    /// Whether the learner prints nothing: [`silent`](crate::LearnerBuilder::silent).
    pub fn silent(&self) -> bool {
        self.fit.silent
    }

    /// The number of this process among those that train together ([`Learner::data_parallel`](crate::Learner::data_parallel));
    /// 0 for a process alone.
    pub fn rank(&self) -> usize {
        self.fit.ranks.map_or(0, |ranks| ranks.rank())
    }

    /// How many processes train together; 1 for a process alone.
    pub fn ranks(&self) -> usize {
        self.fit.ranks.map_or(1, |ranks| ranks.ranks())
    }

    /// Whether this is the process that prints and writes files: rank 0, or one alone.
    pub fn is_main(&self) -> bool {
        self.rank() == 0
    }

    /// Parameters and buffers in their order: names, shapes, whether they train.
    pub fn entries(&self) -> Vec<Entry> {
        self.model.entries()
    }

    /// Names and values of the model's parameters and buffers, for callbacks that keep or inspect
    /// weights. Reads everything from the device.
    pub fn weights(&self) -> Vec<NamedTensor> {
        self.model.tensors()
    }

    /// The model's parameters and buffers on the device, each flat, in the order of [`entries`](Self::entries).
    pub fn tensors(&self) -> Vec<Tensor<1>> {
        self.model.flat()
    }

    /// Replaces all parameters and buffers, in the order of [`entries`](Self::entries).
    ///
    /// # Errors
    ///
    /// [`Error::Callback`] if their number or a length differs.
    pub fn set_tensors(&mut self, tensors: Vec<Tensor<1>>) -> Result<()> {
        let expected: Vec<usize> = self.entries().iter().map(Entry::len).collect();
        let found: Vec<usize> = tensors.iter().map(|t| t.dims()[0]).collect();
        if found != expected {
            let reason = format!(
                "set_tensors takes {} tensors, each as long as its parameter, and got {}",
                expected.len(),
                found.len()
            );
            return Err(Error::callback("set_tensors", reason));
        }
        self.model.put_flat(tensors);
        Ok(())
    }

    /// Calls `f` with other parameters and buffers, and puts the own ones back.
    ///
    /// # Errors
    ///
    /// As [`set_tensors`](Self::set_tensors), and those of `f`.
    pub fn with_tensors<T>(
        &mut self,
        tensors: Vec<Tensor<1>>,
        f: impl FnOnce(&mut Self) -> Result<T>,
    ) -> Result<T> {
        let own = self.tensors();
        self.set_tensors(tensors)?;
        let result = f(self);
        self.model.put_flat(own);
        result
    }

    /// Whether the loss is read after the backward pass. The gradients of several processes depend on it.
    pub(super) fn reads_loss_late(&self) -> bool {
        self.state.train && self.fit.ranks.is_none()
    }

    /// Replaces the gradients, at `on_backward_end`: `f` gets the position of a parameter among the
    /// [`entries`](Self::entries) and its gradient, flat, and returns the new one, equally long. Parameters without
    /// gradients are left out.
    pub fn map_gradients(&mut self, mut f: impl FnMut(usize, Tensor<1>) -> Tensor<1>) {
        if let Some(grads) = &mut self.state.grads {
            self.model.map_gradients(grads, &mut f);
        }
    }

    /// The loss and the metrics over the validation set, with their names: `valid_loss` first. No events are sent.
    ///
    /// # Errors
    ///
    /// If there is no validation set, or it cannot be read.
    pub fn validate(&mut self) -> Result<Vec<(String, f64)>> {
        let model = self.model.valid();
        let mut scoring = Scoring::new(self.metrics);
        let (data, loss, ranks) = (&self.data, self.fit.loss, self.fit.ranks);
        let labels = data.dataset(DatasetType::Valid)?.labels();
        for batch in Batches::new(data, self.features, DatasetType::Valid, 0, 0, ranks)? {
            let batch = batch?;
            let input = batch.input(data, &self.fit.device);
            let logits = self.fit.run(&batch, &*model, input)?;
            check_outputs(&logits, data.c(), data.classes())?;
            let targets = batch.targets(data, &self.fit.device)?;
            let weight = batch_weight(loss, Some(targets.clone()), &batch)?;
            let mean = scalar(&loss.mean(logits.clone(), targets)?);
            let whole = self.fit.whole_loss(mean, weight)?;
            let of_whole = whole.map_or((mean, weight), |whole| (whole.mean, whole.weight));
            let whole = ranks.map(|ranks| (&**ranks, labels));
            scoring.add(self.metrics, of_whole, logits, &batch, whole)?;
        }
        let (loss, metrics) = scoring.finish(self.metrics);
        let loss = ("valid_loss".to_owned(), loss.unwrap_or(f64::NAN));
        Ok(std::iter::once(loss).chain(metrics).collect())
    }

    /// Saves model and optimizer as a checkpoint: see [`Learner::save`](crate::Learner::save). With other processes, only the
    /// [main](Self::is_main) one writes it.
    ///
    /// # Errors
    ///
    /// As [`Learner::save`](crate::Learner::save).
    pub fn save(&self, name: impl AsRef<Path>) -> Result<PathBuf> {
        let path = checkpoint_path(&self.fit.model_dir, name.as_ref())?;
        if !self.is_main() {
            return Ok(path);
        }
        check_ours(&path)?;
        make_folder(&path)?;
        let mut history = self.fit.history_before.clone();
        history.append(self.recorder.clone());
        self.snapshot(Some(&history))
            .write(&path, Extra::default())?;
        Ok(path)
    }

    pub(crate) fn snapshot<'b>(&'b self, history: Option<&'b Recorder>) -> Snapshot<'b> {
        Snapshot {
            model: &**self.model,
            optimizer: Some(self.optimizer),
            groups: self.fit.groups,
            arch: self.fit.arch,
            // What the learner has, whatever callbacks train on for a while.
            data: self.fit.data,
            seed: self.fit.seed,
            epochs_trained: self.fit.epochs_before + self.recorder.epochs.len() as u64,
            history,
        }
    }

    /// Whether this is a name that [`save`](Self::save) takes.
    ///
    /// # Errors
    ///
    /// [`Error::Option`] if it is not.
    pub fn check_name(&self, name: impl AsRef<Path>) -> Result<()> {
        check_ours(&checkpoint_path(&self.fit.model_dir, name.as_ref())?)
    }

    /// Whether a schedule sets the learning rate at every step.
    pub fn has_schedule(&self) -> bool {
        self.fit.scheduled
    }

    /// The loss of each item of the batch, at `on_loss_begin`. For a mixed batch, with regard to its first labels.
    ///
    /// # Errors
    ///
    /// As [`Loss::per_item`].
    pub fn item_losses(&self) -> Result<Vec<f32>> {
        match (&self.state.last_output, &self.state.last_target) {
            (Some(outputs), Some(targets)) => {
                let losses = self.fit.loss.per_item(outputs.clone(), targets.clone())?;
                Ok(values(losses))
            }
            _ => Ok(Vec::new()),
        }
    }

    /// Whether a larger or a smaller value of this name is better: of `train_loss`, `valid_loss`, a metric, or a column
    /// whose name ends with one of these (`ema_accuracy`).
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchMetric`] with the names that there are.
    pub fn better(&self, name: &str) -> Result<Better> {
        let valid = self.data.batches(DatasetType::Valid) > 0;
        let mut known = vec![("train_loss".to_owned(), Better::Lower)];
        if valid {
            known.push(("valid_loss".to_owned(), Better::Lower));
            known.extend(self.metrics.iter().map(|m| (m.name(), m.better())));
        }
        let own = known.len();
        for column in self.recorder.metric_names.iter().filter(|_| valid) {
            let base = known[..own].iter().find(|(base, _)| {
                let end = column.strip_suffix(base.as_str());
                end.is_some_and(|start| start.ends_with('_'))
            });
            if let Some((_, better)) = base {
                known.push((column.clone(), *better));
            }
        }
        match known.iter().find(|(known, _)| known == name) {
            Some((_, better)) => Ok(*better),
            None => Err(Error::NoSuchMetric {
                name: name.to_owned(),
                known: known.into_iter().map(|(name, _)| name).collect(),
            }),
        }
    }

    /// The value of this name at `on_epoch_end`: see [`better`](Self::better). `None` without one, for example if
    /// validation was skipped.
    pub fn value(&self, name: &str) -> Option<f64> {
        match name {
            "train_loss" => Some(self.state.smooth_loss),
            "valid_loss" => self.state.valid_loss,
            _ => {
                let metrics = &self.state.last_metrics;
                metrics.iter().find(|(own, _)| own == name).map(|(_, v)| *v)
            }
        }
    }
}

impl Context<'_> {
    /// The number of this epoch over all fits, which its order and its random draws depend on.
    pub(crate) fn epoch_number(&self) -> u64 {
        self.fit.epochs_before + self.state.epoch.saturating_sub(self.fit.start_epoch) as u64
    }

    /// Whether this is the beginning of a fit, before its first step, of a learner that has trained before.
    pub(crate) fn begins_trained(&self) -> bool {
        let state = &self.state;
        let begins = state.epoch == self.fit.start_epoch && state.num_batch == 0;
        begins && !self.fit.history_before.epochs.is_empty()
    }

    /// The value of column `i` of the table at `on_epoch_end`. Two metrics may have one name.
    pub(crate) fn column(&self, i: usize, name: &str) -> Option<f64> {
        match self.state.last_metrics.get(i) {
            Some((own, value)) if own == name => Some(*value),
            _ => self.value(name),
        }
    }
}

impl std::fmt::Debug for Context<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Context")
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}
