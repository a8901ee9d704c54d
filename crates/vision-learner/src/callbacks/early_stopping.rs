//! Ends a fit that no longer improves.

use vision_base::console;

use crate::callbacks::monitor::{Monitor, Seen};
use crate::{Callback, CallbackState, Context, Result};

/// Ends the fit when a metric or loss has not improved for some epochs.
///
/// As in fastai v1, it stops after the epoch in which the number of epochs without improvement in a row exceeds the
/// patience.
///
/// ```
/// use vision_learner::FitConfig;
/// use vision_learner::callbacks::EarlyStopping;
/// let config = FitConfig::new(50).with_callback(EarlyStopping::new("accuracy").with_patience(3));
/// ```
#[doc(alias = "EarlyStoppingCallback")]
#[derive(Clone, Debug)]
pub struct EarlyStopping {
    monitor: Monitor,
    patience: usize,
    waited: usize,
}

impl EarlyStopping {
    /// For `train_loss`, `valid_loss` or the name of a metric.
    #[doc(alias = "monitor")]
    pub fn new(monitor: impl Into<String>) -> Self {
        Self {
            monitor: Monitor::new(monitor),
            patience: 0,
            waited: 0,
        }
    }

    /// Sets how many epochs in a row may pass without improvement. Default: 0.
    #[doc(alias = "patience")]
    pub fn with_patience(mut self, epochs: usize) -> Self {
        self.patience = epochs;
        self
    }

    /// Sets by how much more than this a value must be better to be an improvement. Default: 0.
    pub fn with_min_delta(mut self, min_delta: f64) -> Self {
        self.monitor.min_delta = min_delta;
        self
    }
}

impl Callback for EarlyStopping {
    fn settings(&self) -> String {
        let Monitor {
            name, min_delta, ..
        } = &self.monitor;
        format!("{name}, min_delta {min_delta}, patience {}", self.patience)
    }

    fn in_lr_find(&self) -> bool {
        false
    }

    fn state(&self) -> Result<CallbackState> {
        CallbackState::of("EarlyStopping", &(self.monitor.seen(), self.waited))
    }

    fn restore(&mut self, state: CallbackState, _ctx: &mut Context<'_>) -> Result<()> {
        let (seen, waited): (Seen, usize) = state.read("EarlyStopping")?;
        self.monitor.restore(&seen);
        self.waited = waited;
        Ok(())
    }

    fn on_train_begin(&mut self, ctx: &mut Context<'_>) -> Result<()> {
        self.waited = 0;
        self.monitor.begin(ctx)
    }

    fn on_epoch_end(&mut self, ctx: &mut Context<'_>) -> Result<()> {
        match self.monitor.improves(ctx) {
            None => {}
            Some(true) => self.waited = 0,
            Some(false) => {
                self.waited = self.waited.saturating_add(1);
                if self.waited > self.patience {
                    ctx.state.stop_training = true;
                    if !ctx.silent() {
                        console::line(format_args!("Epoch {}: early stopping", ctx.state.epoch));
                    }
                }
            }
        }
        Ok(())
    }
}
