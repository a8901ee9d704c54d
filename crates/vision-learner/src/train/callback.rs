//! Callbacks: the events of the training loop.

use std::any::type_name;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use vision_models::state::NamedTensor;

use crate::train::context::Context;
use crate::{Error, Result};

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

    /// Its name in messages and in the folder of a resumable fit. Default: the name of its type.
    fn name(&self) -> String {
        let name = type_name::<Self>();
        let name = name.split('<').next().unwrap_or(name);
        name.rsplit("::").next().unwrap_or(name).to_owned()
    }

    /// Its settings in one line. A fit is resumed only with callbacks of the same names and settings. Default: none.
    fn settings(&self) -> String {
        String::new()
    }

    /// The columns that it adds to the table of epochs, given those of the metrics. It pushes a value of the same name
    /// to [`State::last_metrics`](crate::State::last_metrics) at each `on_epoch_end`, with an [`order`](Self::order)
    /// below −10. Default: none.
    fn columns(&self, metrics: &[String]) -> Vec<String> {
        Vec::new()
    }

    /// Whether [`lr_find`](crate::Learner::lr_find) runs it too. Default: yes. Those that write files or end a run
    /// early should not take part.
    fn in_lr_find(&self) -> bool {
        true
    }

    /// Everything that it has gathered in this fit, to be saved with a step of a
    /// [resumable](crate::FitConfig::resumable) fit. Default: nothing.
    ///
    /// # Errors
    ///
    /// If it cannot be saved, which ends the fit.
    fn state(&self) -> Result<CallbackState> {
        Ok(CallbackState::default())
    }

    /// Takes back what [`state`](Self::state) returned, in another process. It is called after `on_train_begin`, and
    /// after `on_epoch_begin` if the fit goes on in the middle of an epoch.
    ///
    /// # Errors
    ///
    /// If the state does not fit this callback.
    fn restore(&mut self, state: CallbackState, ctx: &mut Context<'_>) -> Result<()> {
        Ok(())
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

    /// Called with the loss as a tensor, which may be replaced. Its value is not known yet.
    fn on_backward_begin(&mut self, ctx: &mut Context<'_>) -> Result<()> {
        Ok(())
    }

    /// Called with the gradients and the value of the loss, before the step.
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

/// The saved state of a callback: see [`Callback::state`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CallbackState {
    /// Anything but tensors.
    pub values: Value,
    /// Tensors, each with its own name.
    pub tensors: Vec<NamedTensor>,
}

impl CallbackState {
    /// A state without tensors.
    ///
    /// # Errors
    ///
    /// [`Error::Callback`] if the values have no form in JSON.
    pub fn of(name: &str, values: &impl Serialize) -> Result<Self> {
        Ok(Self {
            values: serde_json::to_value(values).map_err(|error| Error::callback(name, error))?,
            tensors: Vec::new(),
        })
    }

    /// The values as what [`of`](Self::of) was given.
    ///
    /// # Errors
    ///
    /// [`Error::Callback`] if they are something else.
    pub fn read<T: DeserializeOwned>(&self, name: &str) -> Result<T> {
        T::deserialize(&self.values).map_err(|error| Error::callback(name, error))
    }
}
