//! The configuration of a fit.

use std::path::PathBuf;

use vision_base::OptionError;

use crate::optim::schedule::OneCycle;
use crate::train::callback::Callback;
use crate::{Error, LearningRate, Result, WeightDecay};

/// Number of epochs, learning rates and schedule of one fit, for
/// [`Learner::fit_with`](crate::Learner::fit_with).
///
/// ```
/// use vision_learner::FitConfig;
/// let config = FitConfig::one_cycle(3)
///     .with_lr([1e-4, 1e-3, 1e-2])
///     .with_wd([1e-4, 1e-4, 1e-1])
///     .with_moms(0.95, 0.85);
/// ```
pub struct FitConfig {
    pub(crate) epochs: usize,
    pub(crate) start_epoch: usize,
    pub(crate) lr: LearningRate,
    pub(crate) wd: Option<WeightDecay>,
    pub(crate) cycle: Option<OneCycle>,
    pub(crate) callbacks: Vec<Box<dyn Callback>>,
    pub(crate) checkpoint: Option<PathBuf>,
}

impl FitConfig {
    /// `epochs` epochs at a constant learning rate. Default rate: `slice(..3e-3)`.
    pub fn new(epochs: usize) -> Self {
        Self {
            epochs,
            start_epoch: 0,
            lr: LearningRate::default(),
            wd: None,
            cycle: None,
            callbacks: Vec::new(),
            checkpoint: None,
        }
    }

    /// `epochs` epochs of the one-cycle policy; the learning rate is the peak.
    #[doc(alias = "fit_one_cycle")]
    pub fn one_cycle(epochs: usize) -> Self {
        let mut config = Self::new(epochs);
        config.cycle = Some(OneCycle::default());
        config
    }

    /// Sets the learning rate; for one-cycle, its peak.
    #[doc(alias = "max_lr")]
    pub fn with_lr(mut self, lr: impl Into<LearningRate>) -> Self {
        self.lr = lr.into();
        self
    }

    /// Sets the weight decay for this fit. Default: the learner's.
    #[doc(alias = "wd")]
    pub fn with_wd(mut self, wd: impl Into<WeightDecay>) -> Self {
        self.wd = Some(wd.into());
        self
    }

    /// Sets the momentum at the ends and at the peak of the cycle. Switches to the one-cycle policy.
    #[doc(alias = "moms")]
    pub fn with_moms(mut self, ends: f64, peak: f64) -> Self {
        self.cycle.get_or_insert_default().moms = (ends, peak);
        self
    }

    /// Sets the ratio of the peak to the first learning rate. Switches to the one-cycle policy.
    #[doc(alias = "div_factor")]
    pub fn with_div_factor(mut self, div_factor: f64) -> Self {
        self.cycle.get_or_insert_default().div_factor = div_factor;
        self
    }

    /// Sets the fraction of the steps before the peak. Switches to the one-cycle policy.
    #[doc(alias = "pct_start")]
    pub fn with_pct_start(mut self, pct_start: f64) -> Self {
        self.cycle.get_or_insert_default().pct_start = pct_start;
        self
    }

    /// Sets the ratio of the peak to the final learning rate. Switches to the one-cycle policy.
    #[doc(alias = "final_div")]
    pub fn with_final_div(mut self, final_div: f64) -> Self {
        self.cycle.get_or_insert_default().final_div = Some(final_div);
        self
    }

    /// Starts the same schedule at a later epoch, to resume a run that was interrupted after `epoch`
    /// epochs: see [`with_checkpoint`](Self::with_checkpoint).
    #[doc(alias = "start_epoch")]
    pub fn with_start_epoch(mut self, epoch: usize) -> Self {
        self.start_epoch = epoch;
        self
    }

    /// Saves the learner under this name after each epoch, as [`Learner::save`](crate::Learner::save) does.
    /// Default: not at all.
    ///
    /// A run that was interrupted goes on with the same weights, bit for bit, as one that was not:
    ///
    /// `epochs_trained` counts the epochs of all fits. If others came before this one, subtract theirs, and
    /// freeze or unfreeze the new learner as it was in this fit.
    ///
    /// ```no_run
    /// # fn learner() -> vision_learner::Learner { unimplemented!() }
    /// use vision_learner::FitConfig;
    ///
    /// let config = || FitConfig::one_cycle(20).with_lr(1e-3).with_checkpoint("run");
    /// learner().fit_with(config())?; // ends in the middle of epoch 7
    ///
    /// let mut again = learner(); // in another process: the same data, architecture and seed
    /// again.load("run")?;
    /// let done = again.epochs_trained() as usize;
    /// again.fit_with(config().with_start_epoch(done))?;
    /// # Ok::<(), vision_learner::Error>(())
    /// ```
    #[doc(alias("SaveModelCallback", "checkpoint"))]
    pub fn with_checkpoint(mut self, name: impl Into<PathBuf>) -> Self {
        self.checkpoint = Some(name.into());
        self
    }

    /// Adds a callback to this fit.
    #[doc(alias = "callbacks")]
    pub fn with_callback(mut self, callback: impl Callback + 'static) -> Self {
        self.callbacks.push(Box::new(callback));
        self
    }

    /// The number of steps of the whole schedule, and of those before its first epoch, for epochs of so many
    /// batches. Without a schedule nothing is counted: a callback may end the run.
    pub(crate) fn steps(&self, batches: usize) -> Result<(usize, usize)> {
        if self.cycle.is_none() {
            return Ok((0, 0));
        }
        let steps = |option, epochs: usize| {
            epochs.checked_mul(batches).ok_or_else(|| {
                let expected =
                    format!("a number of epochs of {batches} batches that can be counted");
                Error::Option(OptionError::new(option, expected, epochs))
            })
        };
        Ok((
            steps("epochs", self.epochs)?,
            steps("start_epoch", self.start_epoch)?,
        ))
    }

    /// Checks that the schedule is valid.
    pub(crate) fn check(&self) -> Result<()> {
        let value = |field, expected, found: f64| {
            Err(Error::Option(OptionError::new(
                field,
                expected,
                found.to_string(),
            )))
        };
        let Some(cycle) = &self.cycle else {
            return Ok(());
        };
        let (ends, peak) = cycle.moms;
        for mom in [ends, peak] {
            if !(0.0..1.0).contains(&mom) {
                return value("moms", "numbers of at least 0 and below 1", mom);
            }
        }
        if !(cycle.div_factor.is_finite() && cycle.div_factor > 0.0) {
            return value("div_factor", "a number above 0", cycle.div_factor);
        }
        if let Some(div) = cycle
            .final_div
            .filter(|div| !(div.is_finite() && *div > 0.0))
        {
            return value("final_div", "a number above 0", div);
        }
        if !(0.0..=1.0).contains(&cycle.pct_start) {
            return value("pct_start", "a number from 0 to 1", cycle.pct_start);
        }
        Ok(())
    }
}

impl std::fmt::Debug for FitConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FitConfig")
            .field("epochs", &self.epochs)
            .field("start_epoch", &self.start_epoch)
            .field("lr", &self.lr)
            .field("wd", &self.wd)
            .field("cycle", &self.cycle)
            .finish_non_exhaustive()
    }
}
