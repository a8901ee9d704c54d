//! Callbacks: the events of the training loop, and what a callback can read and change at each event.

use std::time::Duration;

use burn::tensor::{Gradients, Tensor};
use vision_data::ImageDataBunch;

use crate::Result;
use crate::model::any_model::AnyModel;
use crate::model::target::TargetTensor;
use crate::optim::GroupedOptimizer;

/// A hook into the training loop. The recorder, the schedule and the progress display are callbacks too.
///
/// The order of events is fastai's:
///
/// ```text
/// on_train_begin
///   on_epoch_begin
///     on_batch_begin → forward → on_loss_begin → loss → on_backward_begin → backward
///       → on_backward_end → step → on_step_end → on_batch_end          (training batches)
///     on_batch_begin → forward → on_loss_begin → loss → on_batch_end   (validation batches)
///   on_epoch_end
/// on_train_end                                       (also after an error)
/// ```
///
/// At each event the callbacks run by ascending [`order`](Callback::order); callbacks of equal order run
/// in the order they were added. An error ends the run after every callback's `on_train_end`.
// The names of the arguments are for the documentation.
#[allow(unused_variables)]
pub trait Callback: Send + Sync {
    /// Position among the callbacks. The recorder has −10; the default is 0.
    fn order(&self) -> i32 {
        0
    }

    /// Called before anything else.
    fn on_train_begin(&mut self, ctx: &mut Context<'_>) -> Result<()> {
        Ok(())
    }

    /// Called before the first batch of an epoch.
    fn on_epoch_begin(&mut self, ctx: &mut Context<'_>) -> Result<()> {
        Ok(())
    }

    /// Called with the input and the targets of a batch; both may be replaced.
    fn on_batch_begin(&mut self, ctx: &mut Context<'_>) -> Result<()> {
        Ok(())
    }

    /// Called with the logits, which may be replaced.
    fn on_loss_begin(&mut self, ctx: &mut Context<'_>) -> Result<()> {
        Ok(())
    }

    /// Called with the loss, which may be replaced. The smoothed loss is already updated.
    fn on_backward_begin(&mut self, ctx: &mut Context<'_>) -> Result<()> {
        Ok(())
    }

    /// Called with the gradients, before the step.
    fn on_backward_end(&mut self, ctx: &mut Context<'_>) -> Result<()> {
        Ok(())
    }

    /// Called after the step, even if it was skipped.
    fn on_step_end(&mut self, ctx: &mut Context<'_>) -> Result<()> {
        Ok(())
    }

    /// Called after each training or validation batch, before the counters advance.
    fn on_batch_end(&mut self, ctx: &mut Context<'_>) -> Result<()> {
        Ok(())
    }

    /// Called after validation.
    fn on_epoch_end(&mut self, ctx: &mut Context<'_>) -> Result<()> {
        Ok(())
    }

    /// Called at the end, also after an error.
    fn on_train_end(&mut self, ctx: &mut Context<'_>) -> Result<()> {
        Ok(())
    }
}

/// The state that callbacks can read and change.
pub struct Context<'a> {
    /// The position in the run.
    pub state: State,
    /// Learning rate, momentum and weight decay of each layer group.
    pub optimizer: &'a mut GroupedOptimizer,
    /// The data.
    pub data: &'a ImageDataBunch,
    pub(crate) model: &'a mut Box<dyn AnyModel>,
}

impl Context<'_> {
    /// Names and values of the model's parameters and buffers, for callbacks that keep or inspect
    /// weights. Reads everything from the device.
    pub fn weights(&self) -> Vec<vision_models::state::NamedTensor> {
        self.model.tensors()
    }
}

impl std::fmt::Debug for Context<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Context")
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

/// The position in a run, and the switches that control it.
#[derive(Default)]
pub struct State {
    /// Epoch of this fit, from 0.
    pub epoch: usize,
    /// Number of epochs of this fit.
    pub n_epochs: usize,
    /// Training batches finished in this fit.
    pub iteration: usize,
    /// Training batches finished in this epoch.
    pub num_batch: usize,
    /// Number of batches in the current pass.
    pub batches: usize,
    /// Time in this epoch that training has waited for batches.
    pub waited: Duration,
    /// Whether this is a training batch.
    pub train: bool,
    /// Images of the batch, `[batch, 3, height, width]`, or the features if these are cached.
    pub last_input: Option<Tensor<4>>,
    /// Labels of the batch. In a mixed batch, the labels of the images with weight λ.
    pub last_target: Option<TargetTensor>,
    /// Logits of the batch, `[batch, classes]`.
    pub last_output: Option<Tensor<2>>,
    /// Mean loss of the batch as a tensor of one value; the backward pass starts from it.
    pub loss: Option<Tensor<1>>,
    /// Gradients, from `on_backward_end` until the step.
    pub grads: Option<Gradients>,
    /// Mean loss of the batch.
    pub last_loss: f64,
    /// Exponential moving average (0.98) of the training loss over this fit, bias-corrected.
    pub smooth_loss: f64,
    /// Validation loss of the epoch, at `on_epoch_end`.
    pub valid_loss: Option<f64>,
    /// Names and values of the metrics of the epoch, at `on_epoch_end`.
    pub last_metrics: Vec<(String, f64)>,
    /// Skips the backward pass and the step of this batch.
    pub skip_backward: bool,
    /// Skips the step of this batch; its gradients are dropped.
    pub skip_step: bool,
    /// Skips validation at the end of this epoch.
    pub skip_validate: bool,
    /// Ends the current pass over the batches.
    pub stop_epoch: bool,
    /// Ends the run after this epoch.
    pub stop_training: bool,
    /// Whether the run ended with an error, at `on_train_end`.
    pub failed: bool,
}

impl State {
    /// Drops everything that holds on to the autodiff graph.
    pub(crate) fn let_go(&mut self) {
        (self.last_input, self.last_output) = (None, None);
        (self.loss, self.grads) = (None, None);
    }
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State")
            .field("epoch", &self.epoch)
            .field("iteration", &self.iteration)
            .field("num_batch", &self.num_batch)
            .field("train", &self.train)
            .field("last_loss", &self.last_loss)
            .finish_non_exhaustive()
    }
}

/// Sets learning rate and momentum before each training batch, from phases that span the whole fit.
pub(crate) struct Scheduler {
    /// Per layer group.
    pub(crate) lr: Vec<[crate::optim::schedule::Phase; 2]>,
    pub(crate) mom: [crate::optim::schedule::Phase; 2],
    /// Steps already taken by an earlier run.
    pub(crate) first_step: usize,
}

impl Scheduler {
    /// Values at `step`, or the end of the last phase beyond it.
    fn set(&self, step: usize, optimizer: &mut GroupedOptimizer) {
        let at = |phases: &[crate::optim::schedule::Phase; 2]| {
            crate::optim::schedule::at_step(phases, step).unwrap_or(phases[1].end)
        };
        for (group, phases) in optimizer.groups_mut().iter_mut().zip(&self.lr) {
            group.lr = at(phases);
            group.mom = at(&self.mom);
        }
    }
}

impl Callback for Scheduler {
    fn on_train_begin(&mut self, ctx: &mut Context<'_>) -> Result<()> {
        self.set(self.first_step, ctx.optimizer);
        Ok(())
    }

    fn on_batch_end(&mut self, ctx: &mut Context<'_>) -> Result<()> {
        if ctx.state.train {
            // The counter advances after this event, so the next batch is iteration + 1.
            let next = self.first_step.saturating_add(ctx.state.iteration + 1);
            self.set(next, ctx.optimizer);
        }
        Ok(())
    }
}
