//! Frozen, then unfrozen: the usual course in one call.

use vision_base::OptionError;

use crate::learner::Learner;
use crate::optim::lr::slice;
use crate::optim::schedule::OneCycle;
use crate::resume::resumable::Resumable;
use crate::train::fit::FitConfig;
use crate::train::recorder::Recorder;
use crate::{Result, WeightDecay};

/// The settings of [`Learner::fine_tune_with`], with the defaults of fastai 2.
#[derive(Clone, Debug)]
#[must_use]
pub struct FineTune {
    epochs: usize,
    freeze_epochs: usize,
    base_lr: f64,
    lr_mult: f64,
    pct_start: f64,
    div_factor: f64,
    wd: Option<WeightDecay>,
    resumable: Option<Resumable>,
}

impl FineTune {
    /// `epochs` epochs after the frozen one.
    pub fn new(epochs: usize) -> Self {
        Self {
            epochs,
            freeze_epochs: 1,
            base_lr: 2e-3,
            lr_mult: 100.0,
            pct_start: 0.3,
            div_factor: 5.0,
            wd: None,
            resumable: None,
        }
    }

    /// Sets the number of epochs with a frozen body. Default: 1.
    pub fn with_freeze_epochs(mut self, epochs: usize) -> Self {
        self.freeze_epochs = epochs;
        self
    }

    /// Sets the peak of the head's learning rate while the body is frozen; afterwards it is half of that. Default: 2e-3.
    pub fn with_base_lr(mut self, lr: f64) -> Self {
        self.base_lr = lr;
        self
    }

    /// Sets the ratio of the last to the first layer group's learning rate, once nothing is frozen. Default: 100.
    pub fn with_lr_mult(mut self, ratio: f64) -> Self {
        self.lr_mult = ratio;
        self
    }

    /// Sets the fraction of the steps before the peak, once nothing is frozen. Default: 0.3.
    pub fn with_pct_start(mut self, fraction: f64) -> Self {
        self.pct_start = fraction;
        self
    }

    /// Sets the ratio of the peak to the first learning rate, once nothing is frozen. Default: 5.
    #[doc(alias = "div")]
    pub fn with_div_factor(mut self, ratio: f64) -> Self {
        self.div_factor = ratio;
        self
    }

    /// Sets the weight decay. Default: the learner's.
    pub fn with_wd(mut self, wd: impl Into<WeightDecay>) -> Self {
        self.wd = Some(wd.into());
        self
    }

    /// Makes both fits [resumable](FitConfig::resumable).
    pub fn resumable(mut self, run: impl Into<Resumable>) -> Self {
        self.resumable = Some(run.into());
        self
    }

    fn fit(&self, epochs: usize, schedule: OneCycle) -> FitConfig {
        let mut config = FitConfig::new(epochs).with_schedule(schedule);
        if let Some(wd) = &self.wd {
            config = config.with_wd(wd.clone());
        }
        if let Some(run) = &self.resumable {
            config = config.resumable(run.clone());
        }
        config
    }
}

impl Learner {
    /// Trains the head for an epoch while everything else is frozen, then everything for `epochs` epochs at lower rates:
    /// the usual course for a pretrained body. Returns the record of both fits.
    ///
    /// It is fastai 2's `fine_tune`, with its numbers: one cycle with a peak of 2e-3 (a tenth in frozen groups, whose
    /// batch norms train), which comes after 99 % of the steps; then one cycle with peaks from 1e-5 for the first to 1e-3
    /// for the last layer group, after 30 % of the steps. The optimizer's state of the head is kept in between.
    ///
    /// # Errors
    ///
    /// As [`freeze`](Self::freeze) and [`fit_with`](Self::fit_with).
    pub fn fine_tune(&mut self, epochs: usize) -> Result<Recorder> {
        self.fine_tune_with(&FineTune::new(epochs))
    }

    /// [`fine_tune`](Self::fine_tune) with other numbers.
    ///
    /// # Errors
    ///
    /// As [`fine_tune`](Self::fine_tune), and [`Error::Option`](crate::Error::Option) for an `lr_mult` that is not above 0.
    pub fn fine_tune_with(&mut self, config: &FineTune) -> Result<Recorder> {
        if !(config.lr_mult.is_finite() && config.lr_mult > 0.0) {
            let expected = "a number above 0";
            return Err(OptionError::new("lr_mult", expected, config.lr_mult).into());
        }
        let cycle = |pct_start, div_factor| OneCycle {
            pct_start,
            div_factor,
            ..OneCycle::fastai2()
        };
        self.freeze()?;
        let frozen = config.fit(config.freeze_epochs, cycle(0.99, 25.0));
        let mut record = self.fit_with(frozen.with_lr(slice(..config.base_lr)))?;

        // Unfreezing drops it, as in fastai v1.
        let optimizer = self.optimizer.take();
        self.unfreeze();
        self.optimizer = optimizer;
        let lr = config.base_lr / 2.0;
        let whole = config.fit(config.epochs, cycle(config.pct_start, config.div_factor));
        record.append(self.fit_with(whole.with_lr(slice(lr / config.lr_mult..lr)))?);
        Ok(record)
    }
}
