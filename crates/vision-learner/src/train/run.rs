//! The training loop.

use burn::tensor::Tensor;
use vision_data::{DatasetType, Device, Targets};
use vision_models::layers::RandomStream;
use vision_models::state::values;

use crate::features::FeatureCache;
use crate::loss::Loss;
use crate::metrics::{Metric, Scores};
use crate::model::any_model::AnyModel;
use crate::model::target::TargetTensor;
use crate::train::batches::{AnyBatch, Batches};
use crate::train::callback::{Callback, Context};
use crate::train::limits::{ImageLimits, check_outputs};
use crate::{Error, Result};

/// The parts of a learner that a run needs besides the context.
pub(crate) struct Run<'a> {
    pub(crate) loss: &'a dyn Loss,
    pub(crate) metrics: &'a mut [Box<dyn Metric>],
    pub(crate) features: Option<&'a FeatureCache>,
    pub(crate) dropout: &'a RandomStream,
    pub(crate) seed: u64,
    /// Epochs trained before this fit; the order and augmentation of an epoch depend on its number.
    pub(crate) epochs_before: u64,
    /// First epoch of this fit.
    pub(crate) start_epoch: usize,
    pub(crate) limits: ImageLimits<'a>,
    pub(crate) callbacks: Vec<&'a mut dyn Callback>,
}

impl Run<'_> {
    /// Runs the epochs. Every callback gets `on_train_end`, whatever happens.
    pub(crate) fn fit(mut self, ctx: &mut Context<'_>) -> Result<()> {
        self.callbacks.sort_by_key(|callback| callback.order());
        let result = self.epochs(ctx);
        ctx.state.failed = result.is_err();
        let ended = self.each(ctx, |callback, ctx| callback.on_train_end(ctx));
        result.and(ended)
    }

    fn each(
        &mut self,
        ctx: &mut Context<'_>,
        event: impl Fn(&mut dyn Callback, &mut Context<'_>) -> Result<()>,
    ) -> Result<()> {
        for callback in &mut self.callbacks {
            event(&mut **callback, ctx)?;
        }
        Ok(())
    }

    fn epochs(&mut self, ctx: &mut Context<'_>) -> Result<()> {
        self.each(ctx, |callback, ctx| callback.on_train_begin(ctx))?;
        let mut smooth = Smooth::default();
        for epoch in self.start_epoch..ctx.state.n_epochs {
            ctx.state.epoch = epoch;
            self.train_epoch(ctx, &mut smooth)?;
            (ctx.state.valid_loss, ctx.state.last_metrics) = (None, Vec::new());
            let valid = ctx.data.batches(DatasetType::Valid);
            if !ctx.state.skip_validate && valid > 0 {
                self.validate_epoch(ctx)?;
            }
            self.each(ctx, |callback, ctx| callback.on_epoch_end(ctx))?;
            if ctx.state.stop_training {
                break;
            }
        }
        Ok(())
    }

    fn train_epoch(&mut self, ctx: &mut Context<'_>, smooth: &mut Smooth) -> Result<()> {
        let device = ctx.data.device().clone().autodiff();
        let epoch = self.epochs_before + (ctx.state.epoch - self.start_epoch) as u64;
        ctx.state.train = true;
        ctx.state.num_batch = 0;
        ctx.state.stop_epoch = false;
        ctx.state.skip_validate = false;
        ctx.state.batches = ctx.data.batches(DatasetType::Train);
        self.each(ctx, |callback, ctx| callback.on_epoch_begin(ctx))?;
        let mut batches = Batches::new(ctx.data, self.features, DatasetType::Train, epoch)?;
        while let Some(batch) = batches.next() {
            ctx.state.waited = batches.waited();
            let batch = batch?;
            // One random key per batch, so that a resumed run draws the same masks.
            let key = mix(self.seed, epoch, ctx.state.num_batch as u64);
            self.dropout.rewind(key);
            // The forward pass updates running statistics; restore them if the step fails.
            let before = ctx.model.buffers();
            let stepped = self
                .forward(ctx, None, &batch, &device)
                .and_then(|()| self.train_batch(ctx, smooth));
            if let Err(error) = stepped {
                ctx.state.let_go();
                ctx.model.restore_buffers(before);
                return Err(error);
            }
            drop(before);
            self.each(ctx, |callback, ctx| callback.on_step_end(ctx))?;
            self.each(ctx, |callback, ctx| callback.on_batch_end(ctx))?;
            ctx.state.iteration += 1;
            ctx.state.num_batch += 1;
            if ctx.state.stop_epoch {
                break;
            }
        }
        Ok(())
    }

    /// Forward pass and loss of a batch, with `model`, or with the model being trained.
    fn forward(
        &mut self,
        ctx: &mut Context<'_>,
        model: Option<&dyn AnyModel>,
        batch: &AnyBatch,
        device: &Device,
    ) -> Result<()> {
        (ctx.state.skip_backward, ctx.state.skip_step) = (false, false);
        ctx.state.last_input = Some(batch.input(ctx.data, device));
        ctx.state.last_target = Some(batch.targets(ctx.data, device)?);
        self.each(ctx, |callback, ctx| callback.on_batch_begin(ctx))?;
        let input = ctx.state.last_input.clone();
        let targets = ctx.state.last_target.clone();
        // If a callback removes the input, there is nothing to train on.
        let (Some(input), Some(targets)) = (input, targets) else {
            ctx.state.skip_backward = true;
            return Ok(());
        };
        let model = model.unwrap_or(&**ctx.model);
        let logits = batch.run(model, input, &self.limits)?;
        check_outputs(&logits, ctx.data.c(), ctx.data.classes())?;
        ctx.state.last_output = Some(logits);
        self.each(ctx, |callback, ctx| callback.on_loss_begin(ctx))?;
        if let Some(logits) = ctx.state.last_output.clone() {
            let loss = match batch.mix() {
                Some(mix) => self.loss.mean_mixed(logits, targets, mix)?,
                None => self.loss.mean(logits, targets)?,
            };
            ctx.state.last_loss = scalar(&loss);
            ctx.state.loss = Some(loss);
        }
        Ok(())
    }

    fn train_batch(&mut self, ctx: &mut Context<'_>, smooth: &mut Smooth) -> Result<()> {
        let loss = ctx.state.last_loss;
        if !loss.is_finite() {
            return Err(Error::NotFinite {
                loss,
                epoch: ctx.state.epoch,
                batch: ctx.state.num_batch,
                lr: ctx.optimizer.lr(),
            });
        }
        ctx.state.smooth_loss = smooth.add(loss);
        self.each(ctx, |callback, ctx| callback.on_backward_begin(ctx))?;
        // Drop everything that holds on to the graph before the step, so that weights are updated in
        // place.
        (ctx.state.last_input, ctx.state.last_output) = (None, None);
        if let (Some(loss), false) = (ctx.state.loss.take(), ctx.state.skip_backward) {
            ctx.state.grads = Some(loss.backward());
        }
        self.each(ctx, |callback, ctx| callback.on_backward_end(ctx))?;
        if let (Some(mut grads), false) = (ctx.state.grads.take(), ctx.state.skip_step) {
            if !ctx.model.has_finite_gradients(&grads) {
                return Err(Error::GradientNotFinite {
                    epoch: ctx.state.epoch,
                    batch: ctx.state.num_batch,
                    lr: ctx.optimizer.lr(),
                });
            }
            ctx.model.step(ctx.optimizer, &mut grads);
        }
        Ok(())
    }

    fn validate_epoch(&mut self, ctx: &mut Context<'_>) -> Result<()> {
        ctx.state.train = false;
        ctx.state.stop_epoch = false;
        ctx.state.batches = ctx.data.batches(DatasetType::Valid);
        let model = ctx.model.valid();
        let device = ctx.data.device().clone();
        let mut scoring = Scoring::new(self.metrics);
        for batch in Batches::new(ctx.data, self.features, DatasetType::Valid, 0)? {
            let batch = batch?;
            self.forward(ctx, Some(&*model), &batch, &device)?;
            if let Some(logits) = ctx.state.last_output.take() {
                let weight = batch_weight(self.loss, ctx.state.last_target.take(), &batch)?;
                let loss = ctx.state.last_loss;
                scoring.add(self.metrics, loss, weight, logits, batch.labels());
            }
            (ctx.state.loss, ctx.state.last_input) = (None, None);
            self.each(ctx, |callback, ctx| callback.on_batch_end(ctx))?;
            if ctx.state.stop_epoch {
                break;
            }
        }
        (ctx.state.valid_loss, ctx.state.last_metrics) = scoring.finish(self.metrics);
        Ok(())
    }
}

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

/// Exponential moving average of the loss, corrected for its start at zero (fastai's `SmoothenValue`).
#[derive(Debug, Default)]
pub(crate) struct Smooth {
    average: f64,
    count: i32,
}

impl Smooth {
    const BETA: f64 = 0.98;

    pub(crate) fn add(&mut self, value: f64) -> f64 {
        self.count += 1;
        self.average = Self::BETA * self.average + (1.0 - Self::BETA) * value;
        self.average / (1.0 - Self::BETA.powi(self.count))
    }
}

/// A distinct key for every (seed, epoch, batch): SplitMix64 over each in turn.
fn mix(seed: u64, epoch: u64, batch: u64) -> u64 {
    [seed, epoch, batch].into_iter().fold(0, |hash, part| {
        let mut z = (hash ^ part).wrapping_add(0x9E37_79B9_7F4A_7C15);
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    // fastai's own check: losses 1, 2, 3 give 1, 1.505051, 2.013468.
    #[test]
    fn the_smoothed_loss_gives_fastais_numbers() {
        let mut smooth = Smooth::default();
        for (loss, expected) in [(1.0, 1.0), (2.0, 1.505_051), (3.0, 2.013_468)] {
            assert!((smooth.add(loss) - expected).abs() < 1e-6);
        }
    }

    #[test]
    fn the_dropout_key_differs_between_seeds_epochs_and_batches() {
        let mut keys: Vec<u64> = Vec::new();
        for seed in 0..4 {
            for epoch in 0..4 {
                keys.extend((0..4).map(|batch| mix(seed, epoch, batch)));
            }
        }
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), 64);
    }
}
