//! The training loop.

use burn::tensor::{Gradients, Tensor};
use vision_data::{DatasetType, Device};

use crate::model::any_model::AnyModel;
use crate::resume::keeper::{Keeper, Resumed};
use crate::resume::position::Position;
use crate::resume::states::States;
use crate::train::batches::{AnyBatch, Batches};
use crate::train::callback::Callback;
use crate::train::context::Context;
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
        if let Some(keeper) = &mut self.keeper
            && keeper.is_due()
        {
            return keeper.save(ctx, at, &States::of(&self.callbacks)?);
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
        self.each(ctx, |callback, ctx| callback.on_epoch_end(ctx))
    }

    fn train_epoch(&mut self, ctx: &mut Context<'_>, at: &mut Position) -> Result<()> {
        let device = ctx.data.device().clone().autodiff();
        let epoch = ctx.epoch_number();
        // Callbacks may replace the data for the next epoch.
        let data = ctx.data.clone();
        let part = DatasetType::Train;
        let mut batches = Batches::new(&data, ctx.features, part, epoch, at.batches)?;
        while let Some(batch) = batches.next() {
            ctx.state.waited = batches.waited();
            let batch = batch?;
            // One random key per batch, so that a resumed run draws the same masks.
            let key = key(ctx.fit.seed, epoch, ctx.state.num_batch as u64);
            ctx.fit.dropout.rewind(key);
            // The forward pass updates running statistics; restore them if the step fails.
            let before = ctx.model.buffers();
            let stepped = self
                .forward(ctx, None, &batch, &device)
                .and_then(|()| self.train_batch(ctx, at));
            if let Err(error) = stepped {
                ctx.state.let_go();
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

    /// Forward pass and loss of a batch, with `model`, or with the model being trained.
    fn forward(
        &mut self,
        ctx: &mut Context<'_>,
        model: Option<&dyn AnyModel>,
        batch: &AnyBatch,
        device: &Device,
    ) -> Result<()> {
        (ctx.state.skip_backward, ctx.state.skip_step) = (false, false);
        ctx.state.items = batch.indices().len();
        ctx.state.indices = batch.indices().to_vec();
        ctx.state.last_input = Some(batch.input(&ctx.data, device));
        ctx.state.last_target = Some(batch.targets(&ctx.data, device)?);
        self.each(ctx, |callback, ctx| callback.on_batch_begin(ctx))?;
        let input = ctx.state.last_input.clone();
        let targets = ctx.state.last_target.clone();
        // If a callback removes the input, there is nothing to train on.
        let (Some(input), Some(targets)) = (input, targets) else {
            ctx.state.skip_backward = true;
            return Ok(());
        };
        let model = model.unwrap_or(&**ctx.model);
        let logits = ctx.fit.run(batch, model, input)?;
        check_outputs(&logits, ctx.data.c(), ctx.data.classes())?;
        ctx.state.last_output = Some(logits);
        self.each(ctx, |callback, ctx| callback.on_loss_begin(ctx))?;
        if let Some(logits) = ctx.state.last_output.clone() {
            let loss = match batch.mix() {
                Some(mix) => ctx.fit.loss.mean_mixed(logits, targets, mix)?,
                None => ctx.fit.loss.mean(logits, targets)?,
            };
            ctx.state.last_loss = scalar(&loss);
            ctx.state.loss = Some(loss);
        }
        Ok(())
    }

    fn train_batch(&mut self, ctx: &mut Context<'_>, at: &mut Position) -> Result<()> {
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
        self.each(ctx, |callback, ctx| callback.on_backward_begin(ctx))?;
        // Drop everything that holds on to the graph before the step, so that weights are updated in
        // place.
        (ctx.state.last_input, ctx.state.last_output) = (None, None);
        if let (Some(loss), false) = (ctx.state.loss.take(), ctx.state.skip_backward) {
            ctx.state.grads = Some(match &mut at.loss_scale {
                Some(scale) => backward_scaled(ctx, loss, scale),
                None => loss.backward(),
            });
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
        for batch in Batches::new(&data, ctx.features, DatasetType::Valid, 0, 0)? {
            let batch = batch?;
            self.forward(ctx, Some(&*model), &batch, &device)?;
            if let Some(logits) = ctx.state.last_output.take() {
                let weight = batch_weight(ctx.fit.loss, ctx.state.last_target.take(), &batch)?;
                let loss = ctx.state.last_loss;
                scoring.add(ctx.metrics, loss, weight, logits, batch.labels());
            }
            (ctx.state.loss, ctx.state.last_input) = (None, None);
            self.each(ctx, |callback, ctx| callback.on_batch_end(ctx))?;
            if let (Some(keeper), Some(states)) = (&mut self.keeper, &states)
                && keeper.is_interrupted()
            {
                keeper.save(ctx, *at, states)?;
            }
            if ctx.state.stop_epoch {
                break;
            }
        }
        (ctx.state.valid_loss, ctx.state.last_metrics) = scoring.finish(ctx.metrics);
        Ok(())
    }
}

/// The gradients of a loss, through a backward pass that multiplies them with a factor meanwhile. If they are not finite
/// then, the step is skipped.
fn backward_scaled(ctx: &mut Context<'_>, loss: Tensor<1>, scale: &mut LossScale) -> Gradients {
    let factor = scale.factor();
    let mut grads = loss.mul_scalar(factor).backward();
    ctx.model
        .map_gradients(&mut grads, &mut |_, grad| grad.div_scalar(factor));
    if scale.update(ctx.model.has_finite_gradients(&grads)) {
        ctx.state.skip_step = true;
    }
    grads
}

fn is_not_finite(error: &Error) -> bool {
    matches!(
        error,
        Error::NotFinite { .. } | Error::GradientNotFinite { .. }
    )
}
