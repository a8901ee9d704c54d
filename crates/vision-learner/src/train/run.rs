//! The training loop.

use burn::tensor::Tensor;
use vision_data::{DatasetType, Device};

use crate::model::any_model::AnyModel;
use crate::parallel::part::Rows;
use crate::resume::keeper::{Keeper, Resumed};
use crate::resume::position::Position;
use crate::resume::states::States;
use crate::train::batches::{AnyBatch, Batches};
use crate::train::callback::Callback;
use crate::train::context::Context;
use crate::train::device_fault::{guarded, largest_that_fits};
use crate::train::key::key;
use crate::train::limits::check_outputs;
use crate::train::loss_scale::LossScale;
use crate::train::scoring::{Scoring, batch_weight, scalar};
use crate::{Error, Result};

/// One fit: its callbacks, and where its steps are saved.
pub(crate) struct Run<'a> {
    pub(crate) callbacks: Vec<&'a mut dyn Callback>,
    /// Saves steps of a resumable fit.
    pub(crate) keeper: Option<&'a mut Keeper>,
}

impl Run<'_> {
    /// Runs the epochs, from where an earlier process has stopped if it left something. Every callback gets
    /// `on_train_end`, whatever happens.
    pub(crate) fn fit(mut self, ctx: &mut Context<'_>, resumed: Option<Resumed>) -> Result<()> {
        self.callbacks.sort_by_key(|callback| callback.order());
        let result = self.epochs(ctx, resumed);
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

    fn epochs(&mut self, ctx: &mut Context<'_>, resumed: Option<Resumed>) -> Result<()> {
        self.each(ctx, |callback, ctx| callback.on_train_begin(ctx))?;
        let mut at = Position::start(ctx.fit.start_epoch);
        at.loss_scale = ctx.fit.precision.loss_scale();
        let mut saved = None;
        if let Some(resumed) = resumed {
            at = resumed.position;
            ctx.optimizer.groups_mut().copy_from_slice(&resumed.hyper);
            saved = Some(resumed.callbacks);
        } else if let Some(keeper) = &mut self.keeper {
            // The beginning is a step too: what callbacks found there is not lost.
            keeper.agree(ctx, true)?;
            keeper.save(ctx, at, &States::of(&self.callbacks)?)?;
        }
        ctx.state.iteration = at.iteration;
        ctx.state.smooth_loss = at.smooth.value();
        ctx.state.stop_training = at.stop_training;
        while at.epoch < ctx.state.n_epochs && !ctx.state.stop_training {
            self.epoch(ctx, &mut at, &mut saved)?;
            at = Position {
                epoch: at.epoch + 1,
                stop_training: ctx.state.stop_training,
                smooth: at.smooth,
                loss_scale: at.loss_scale,
                ..Position::start(0)
            };
            at.iteration = ctx.state.iteration;
            self.keep(ctx, at)?;
        }
        self.restore(ctx, &mut saved)
    }

    /// Hands the callbacks what they had when the step was saved, once.
    fn restore(&mut self, ctx: &mut Context<'_>, saved: &mut Option<States>) -> Result<()> {
        match saved.take() {
            Some(saved) => saved.restore(&mut self.callbacks, ctx),
            None => Ok(()),
        }
    }

    /// Saves the step if it is time to.
    fn keep(&mut self, ctx: &Context<'_>, at: Position) -> Result<()> {
        if let Some(keeper) = &mut self.keeper {
            let due = keeper.is_due();
            if keeper.agree(ctx, due)? {
                return keeper.save(ctx, at, &States::of(&self.callbacks)?);
            }
        }
        Ok(())
    }

    fn epoch(
        &mut self,
        ctx: &mut Context<'_>,
        at: &mut Position,
        saved: &mut Option<States>,
    ) -> Result<()> {
        ctx.state.epoch = at.epoch;
        ctx.state.train = true;
        ctx.state.num_batch = at.num_batch;
        ctx.state.stop_epoch = false;
        ctx.state.skip_validate = false;
        ctx.state.batches = ctx.data.batches(DatasetType::Train);
        if !at.begun {
            self.restore(ctx, saved)?;
        }
        self.each(ctx, |callback, ctx| callback.on_epoch_begin(ctx))?;
        ctx.agree()?;
        if at.begun {
            self.restore(ctx, saved)?;
            ctx.state.skip_validate = at.skip_validate;
        }
        at.begun = true;
        if !at.stop_epoch {
            self.train_epoch(ctx, at)?;
        }
        (ctx.state.valid_loss, ctx.state.last_metrics) = (None, Vec::new());
        if !ctx.state.skip_validate && ctx.data.batches(DatasetType::Valid) > 0 {
            self.validate_epoch(ctx, at)?;
        }
        self.each(ctx, |callback, ctx| callback.on_epoch_end(ctx))?;
        ctx.agree()
    }

    fn train_epoch(&mut self, ctx: &mut Context<'_>, at: &mut Position) -> Result<()> {
        let device = ctx.data.device().clone().autodiff();
        let epoch = ctx.epoch_number();
        // Callbacks may replace the data for the next epoch.
        let data = ctx.data.clone();
        let part = DatasetType::Train;
        let ranks = ctx.fit.ranks;
        let mut batches = Batches::new(&data, ctx.features, part, epoch, at.batches, ranks)?;
        while let Some(batch) = batches.next() {
            ctx.state.waited = batches.waited();
            let batch = batch?;
            let rows = batches.rows(&batch);
            // One random key per batch, so that a resumed run draws the same masks.
            let key = key(ctx.fit.seed, epoch, ctx.state.num_batch as u64);
            ctx.fit.dropout.rewind(key);
            // The forward pass updates running statistics; restore them if the step fails.
            let before = ctx.model.buffers();
            let stepped = guarded(&device, rows.own, || {
                self.forward(ctx, None, (&batch, rows), &device)?;
                self.backward(ctx, at, rows)
            });
            let stepped = stepped.map(|()| Self::step(ctx));
            if let Err(mut error) = stepped {
                ctx.state.let_go();
                if let Error::OutOfMemory { fits, .. } = &mut error {
                    *fits = batch_that_fits(ctx, &batch, &device);
                }
                ctx.model.restore_buffers(before);
                ctx.state.not_finite = is_not_finite(&error);
                if !(ctx.state.stop_if_not_finite && ctx.state.not_finite) {
                    return Err(error);
                }
                ctx.state.stop_training = true;
                ctx.state.skip_validate = true;
                break;
            }
            drop(before);
            self.each(ctx, |callback, ctx| callback.on_step_end(ctx))?;
            self.each(ctx, |callback, ctx| callback.on_batch_end(ctx))?;
            ctx.agree()?;
            ctx.state.iteration += 1;
            ctx.state.num_batch += 1;
            at.stop_epoch = ctx.state.stop_epoch;
            at.batches = batches.passed();
            at.num_batch = ctx.state.num_batch;
            at.iteration = ctx.state.iteration;
            at.stop_training = ctx.state.stop_training;
            at.skip_validate = ctx.state.skip_validate;
            if at.stop_epoch {
                break;
            }
            self.keep(ctx, *at)?;
        }
        Ok(())
    }

    /// Forward pass and loss of a batch, with `model`, or with the model being trained. Returns the total weight of the
    /// items of the whole batch, if other processes have parts of it.
    fn forward(
        &mut self,
        ctx: &mut Context<'_>,
        model: Option<&dyn AnyModel>,
        (batch, rows): (&AnyBatch, Rows),
        device: &Device,
    ) -> Result<Option<f64>> {
        (ctx.state.skip_backward, ctx.state.skip_step) = (false, false);
        ctx.state.items = rows.all;
        ctx.state.indices = batch.indices().to_vec();
        ctx.state.last_input = Some(batch.input(&ctx.data, device));
        ctx.state.last_target = Some(batch.targets(&ctx.data, device)?);
        self.each(ctx, |callback, ctx| callback.on_batch_begin(ctx))?;
        let input = ctx.state.last_input.clone();
        let targets = ctx.state.last_target.clone();
        // If a callback removes the input, there is nothing to train on.
        let (Some(input), Some(targets)) = (input, targets) else {
            ctx.state.skip_backward = true;
            let whole = ctx.fit.whole_loss(0.0, 0.0)?;
            return Ok(whole.map(|whole| whole.weight));
        };
        let model = model.unwrap_or(&**ctx.model);
        let fit = &ctx.fit;
        let logits = fit.in_share(batch, rows, || fit.run(batch, model, input))?;
        check_outputs(&logits, ctx.data.c(), ctx.data.classes())?;
        ctx.state.last_output = Some(logits);
        self.each(ctx, |callback, ctx| callback.on_loss_begin(ctx))?;
        let (mut mean, mut weight) = (0.0, 0.0);
        if let Some(logits) = ctx.state.last_output.clone() {
            if ctx.fit.ranks.is_some() {
                weight = batch_weight(ctx.fit.loss, Some(targets.clone()), batch)?;
            }
            let loss = match batch.mix() {
                Some(mix) => ctx.fit.loss.mean_mixed(logits, targets, mix)?,
                None => ctx.fit.loss.mean(logits, targets)?,
            };
            if !ctx.reads_loss_late() {
                mean = scalar(&loss);
                ctx.state.last_loss = mean;
            }
            ctx.state.loss = Some(loss);
        }
        let Some(whole) = ctx.fit.whole_loss(mean, weight)? else {
            return Ok(None);
        };
        // The losses of all processes add up to the mean of the whole batch, and so do their gradients.
        let loss = ctx.state.loss.take();
        ctx.state.loss = loss.map(|loss| loss.mul_scalar(whole.factor));
        ctx.state.last_loss = whole.mean;
        Ok(Some(whole.weight))
    }

    fn backward(&mut self, ctx: &mut Context<'_>, at: &mut Position, rows: Rows) -> Result<()> {
        let value = match &ctx.state.loss {
            Some(loss) if ctx.reads_loss_late() => Some(loss.clone().detach()),
            _ => None,
        };
        self.each(ctx, |callback, ctx| callback.on_backward_begin(ctx))?;
        // Drop everything that holds on to the graph before the step, so that weights are updated in
        // place.
        (ctx.state.last_input, ctx.state.last_output) = (None, None);
        if ctx.fit.ranks.is_some() {
            // A process whose callback has taken the loss away has no gradients to share.
            ctx.state.skip_backward |= ctx.state.loss.is_none();
        }
        ctx.agree()?;
        let loss = ctx.state.loss.take().filter(|_| !ctx.state.skip_backward);
        // Gradients that a callback has set are neither scaled nor those of a part of a batch.
        let computed = loss.is_some();
        if let Some(loss) = loss {
            let scale = at.loss_scale.as_ref().map(LossScale::factor);
            let loss = match scale {
                Some(factor) => loss.mul_scalar(factor),
                None => loss,
            };
            ctx.state.grads = Some(loss.backward());
        }
        // A GPU computes the backward pass meanwhile.
        if let Some(value) = value {
            ctx.state.last_loss = scalar(&value);
        }
        let loss = ctx.state.last_loss;
        if !loss.is_finite() {
            return Err(Error::NotFinite {
                loss,
                epoch: ctx.state.epoch,
                batch: ctx.state.num_batch,
                lr: ctx.optimizer.lr(),
            });
        }
        ctx.state.smooth_loss = at.smooth.add(loss);
        if computed {
            ctx.share_gradients(rows.own)?;
            if let Some(scale) = &mut at.loss_scale {
                unscale(ctx, scale);
            }
        }
        self.each(ctx, |callback, ctx| callback.on_backward_end(ctx))?;
        ctx.agree()?;
        match &ctx.state.grads {
            Some(grads) if !ctx.state.skip_step && !ctx.model.has_finite_gradients(grads) => {
                Err(Error::GradientNotFinite {
                    epoch: ctx.state.epoch,
                    batch: ctx.state.num_batch,
                    lr: ctx.optimizer.lr(),
                })
            }
            _ => Ok(()),
        }
    }

    fn step(ctx: &mut Context<'_>) {
        if let (Some(mut grads), false) = (ctx.state.grads.take(), ctx.state.skip_step) {
            ctx.model.step(ctx.optimizer, &mut grads);
        }
    }

    fn validate_epoch(&mut self, ctx: &mut Context<'_>, at: &Position) -> Result<()> {
        // Validation changes no weights: a request to stop saves what the callbacks have now.
        let states = match &self.keeper {
            Some(_) => Some(States::of(&self.callbacks)?),
            None => None,
        };
        ctx.state.train = false;
        ctx.state.stop_epoch = false;
        ctx.state.batches = ctx.data.batches(DatasetType::Valid);
        let model = ctx.model.valid();
        let device = ctx.data.device().clone();
        let data = ctx.data.clone();
        let mut scoring = Scoring::new(ctx.metrics);
        let (part, ranks) = (DatasetType::Valid, ctx.fit.ranks);
        let labels = data.dataset(part)?.labels();
        let mut batches = Batches::new(&data, ctx.features, part, 0, 0, ranks)?;
        while let Some(batch) = batches.next() {
            let batch = batch?;
            let rows = batches.rows(&batch);
            guarded(&device, rows.own, || {
                let weight = self.forward(ctx, Some(&*model), (&batch, rows), &device)?;
                let Some(logits) = ctx.state.last_output.take() else {
                    return Ok(());
                };
                let weight = match weight {
                    Some(weight) => weight,
                    None => batch_weight(ctx.fit.loss, ctx.state.last_target.take(), &batch)?,
                };
                let of_whole = (ctx.state.last_loss, weight);
                let whole = ranks.map(|ranks| (&**ranks, labels));
                scoring.add(ctx.metrics, of_whole, logits, &batch, whole)
            })?;
            (ctx.state.loss, ctx.state.last_input) = (None, None);
            self.each(ctx, |callback, ctx| callback.on_batch_end(ctx))?;
            if let (Some(keeper), Some(states)) = (&mut self.keeper, &states)
                && keeper.agree(ctx, false)?
            {
                keeper.save(ctx, *at, states)?;
            }
            ctx.agree()?;
            if ctx.state.stop_epoch {
                break;
            }
        }
        (ctx.state.valid_loss, ctx.state.last_metrics) = scoring.finish(ctx.metrics);
        Ok(())
    }
}

/// The largest part of a batch, by halves, whose passes the memory holds; unknown where other processes take part in them.
fn batch_that_fits(ctx: &Context<'_>, batch: &AnyBatch, device: &Device) -> Option<usize> {
    if ctx.fit.ranks.is_some() {
        return None;
    }
    let [channels, height, width] = batch.item_shape();
    largest_that_fits(device, batch.indices().len(), |items| {
        let input = Tensor::zeros([items, channels, height, width], device);
        let logits = ctx.fit.run(batch, &**ctx.model, input)?;
        let grads = logits.sum().backward();
        // Reads some of them, since a device may report only then.
        ctx.model.has_finite_gradients(&grads);
        Ok(())
    })
}

/// Undoes the factor of the loss in its gradients. If they are not finite, the step is skipped.
fn unscale(ctx: &mut Context<'_>, scale: &mut LossScale) {
    let factor = scale.factor();
    ctx.map_gradients(|_, grad| grad.div_scalar(factor));
    let model = &ctx.model;
    let finite = |grads| model.has_finite_gradients(grads);
    let finite = ctx.state.grads.as_ref().is_none_or(finite);
    if scale.update(finite) {
        ctx.state.skip_step = true;
    }
}

fn is_not_finite(error: &Error) -> bool {
    matches!(
        error,
        Error::NotFinite { .. } | Error::GradientNotFinite { .. }
    )
}
