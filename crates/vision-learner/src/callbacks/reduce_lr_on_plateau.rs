//! Lowers the learning rate of a fit that no longer improves.

use vision_base::{OptionError, console};

use crate::callbacks::monitor::{Monitor, Seen};
use crate::{Callback, CallbackState, Context, Error, Result};

/// Multiplies the learning rate of every layer group when a metric or loss has not improved for some epochs.
///
/// The rule is PyTorch's `ReduceLROnPlateau` with an absolute threshold: the rate falls after the epoch in which the
/// number of epochs without improvement in a row exceeds the patience, and the count begins again. (fastai v1's sets all
/// groups to the rate of the last one.) It is for fits at a constant rate.
///
/// ```
/// use vision_learner::FitConfig;
/// use vision_learner::callbacks::ReduceLrOnPlateau;
/// let plateau = ReduceLrOnPlateau::new("valid_loss").with_patience(2).with_factor(0.1);
/// let config = FitConfig::new(50).with_lr(1e-3).with_callback(plateau);
/// ```
#[doc(alias = "ReduceLROnPlateauCallback")]
#[derive(Clone, Debug)]
pub struct ReduceLrOnPlateau {
    monitor: Monitor,
    patience: usize,
    factor: f64,
    min_lr: f64,
    waited: usize,
}

impl ReduceLrOnPlateau {
    /// For `train_loss`, `valid_loss` or the name of a metric.
    pub fn new(monitor: impl Into<String>) -> Self {
        Self {
            monitor: Monitor::new(monitor),
            patience: 0,
            factor: 0.2,
            min_lr: 0.0,
            waited: 0,
        }
    }

    /// Sets how many epochs in a row may pass without improvement. Default: 0.
    pub fn with_patience(mut self, epochs: usize) -> Self {
        self.patience = epochs;
        self
    }

    /// Sets what the rates are multiplied by, between 0 and 1. Default: 0.2.
    pub fn with_factor(mut self, factor: f64) -> Self {
        self.factor = factor;
        self
    }

    /// Sets by how much more than this a value must be better to be an improvement. Default: 0.
    pub fn with_min_delta(mut self, min_delta: f64) -> Self {
        self.monitor.min_delta = min_delta;
        self
    }

    /// Sets the rate below which no group falls. A group that starts below it stays. Default: 0.
    pub fn with_min_lr(mut self, min_lr: f64) -> Self {
        self.min_lr = min_lr;
        self
    }
}

impl Callback for ReduceLrOnPlateau {
    fn settings(&self) -> String {
        let Monitor {
            name, min_delta, ..
        } = &self.monitor;
        format!(
            "{name}, min_delta {min_delta}, patience {}, factor {}, min_lr {}",
            self.patience, self.factor, self.min_lr
        )
    }

    fn in_lr_find(&self) -> bool {
        false
    }

    fn state(&self) -> Result<CallbackState> {
        CallbackState::of("ReduceLrOnPlateau", &(self.monitor.seen(), self.waited))
    }

    fn restore(&mut self, state: CallbackState, _ctx: &mut Context<'_>) -> Result<()> {
        let (seen, waited): (Seen, usize) = state.read("ReduceLrOnPlateau")?;
        self.monitor.restore(&seen);
        self.waited = waited;
        Ok(())
    }

    fn on_train_begin(&mut self, ctx: &mut Context<'_>) -> Result<()> {
        if !(self.factor > 0.0 && self.factor < 1.0) {
            let expected = "a number between 0 and 1";
            return Err(OptionError::new("factor", expected, self.factor).into());
        }
        if !(self.min_lr.is_finite() && self.min_lr >= 0.0) {
            let expected = "a finite number of at least 0";
            return Err(OptionError::new("min_lr", expected, self.min_lr).into());
        }
        if ctx.has_schedule() {
            let reason =
                "the schedule of this fit sets the learning rate at every step: use FitConfig::new";
            return Err(Error::Callback {
                name: self.name(),
                source: reason.into(),
            });
        }
        self.waited = 0;
        self.monitor.begin(ctx)
    }

    fn on_epoch_end(&mut self, ctx: &mut Context<'_>) -> Result<()> {
        match self.monitor.improves(ctx) {
            None => return Ok(()),
            Some(true) => self.waited = 0,
            Some(false) => self.waited = self.waited.saturating_add(1),
        }
        if self.waited > self.patience {
            self.waited = 0;
            for group in ctx.optimizer.groups_mut() {
                group.lr = group.lr.min(self.min_lr.max(group.lr * self.factor));
            }
            if !ctx.silent() {
                let (epoch, lr) = (ctx.state.epoch, ctx.optimizer.lr());
                console::line(format_args!("Epoch {epoch}: learning rate {lr:e}"));
            }
        }
        Ok(())
    }
}
