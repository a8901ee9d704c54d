//! The configuration of a fit.

use std::mem;
use std::path::PathBuf;

use vision_base::OptionError;

use crate::optim::Hyper;
use crate::optim::schedule::{Cosine, FlatCos, OneCycle, Schedule, Span};
use crate::resume::resumable::Resumable;
use crate::train::callback::Callback;
use crate::train::scheduler::Scheduler;
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
    course: Course,
    pub(crate) callbacks: Vec<Box<dyn Callback>>,
    pub(crate) checkpoint: Option<PathBuf>,
    pub(crate) resumable: Option<Resumable>,
}

/// How the hyper-parameters change.
#[derive(Debug)]
enum Course {
    Constant,
    OneCycle(OneCycle),
    Other(Box<dyn Schedule>),
}

impl FitConfig {
    /// `epochs` epochs at a constant learning rate. Default rate: `slice(..3e-3)`.
    pub fn new(epochs: usize) -> Self {
        Self {
            epochs,
            start_epoch: 0,
            lr: LearningRate::default(),
            wd: None,
            course: Course::Constant,
            callbacks: Vec::new(),
            checkpoint: None,
            resumable: None,
        }
    }

    /// `epochs` epochs of the one-cycle policy; the learning rate is the peak.
    #[doc(alias = "fit_one_cycle")]
    pub fn one_cycle(epochs: usize) -> Self {
        let mut config = Self::new(epochs);
        config.cycle(|_| {});
        config
    }

    /// `epochs` epochs, three quarters of them at the full learning rate, which then falls along half a cosine: fastai
    /// 2's `fit_flat_cos`.
    #[doc(alias("fit_flat_cos", "fit_fc"))]
    pub fn flat_cos(epochs: usize) -> Self {
        Self::new(epochs).with_schedule(FlatCos::default())
    }

    /// `epochs` epochs in which the learning rate falls along half a cosine: [`Cosine`] without warm-up or restarts.
    #[doc(alias("CosineAnnealingLR", "fit_sgdr"))]
    pub fn cosine(epochs: usize) -> Self {
        Self::new(epochs).with_schedule(Cosine::default())
    }

    /// Sets how learning rate, momentum and weight decay change: a [`Schedule`] of [`schedule`](crate::schedule), or
    /// your own.
    #[doc(alias("GeneralScheduler", "ParamScheduler"))]
    pub fn with_schedule(mut self, schedule: impl Schedule + 'static) -> Self {
        self.course = Course::Other(Box::new(schedule));
        self
    }

    /// Changes the one-cycle policy, which takes the place of any other one.
    fn cycle(&mut self, change: impl FnOnce(&mut OneCycle)) {
        let mut cycle = match mem::replace(&mut self.course, Course::Constant) {
            Course::OneCycle(cycle) => cycle,
            Course::Constant | Course::Other(_) => OneCycle::default(),
        };
        change(&mut cycle);
        self.course = Course::OneCycle(cycle);
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
        self.cycle(|cycle| cycle.moms = (ends, peak));
        self
    }

    /// Sets the ratio of the peak to the first learning rate. Switches to the one-cycle policy.
    #[doc(alias = "div_factor")]
    pub fn with_div_factor(mut self, div_factor: f64) -> Self {
        self.cycle(|cycle| cycle.div_factor = div_factor);
        self
    }

    /// Sets the fraction of the steps before the peak. Switches to the one-cycle policy.
    #[doc(alias = "pct_start")]
    pub fn with_pct_start(mut self, pct_start: f64) -> Self {
        self.cycle(|cycle| cycle.pct_start = pct_start);
        self
    }

    /// Sets the ratio of the peak to the final learning rate. Switches to the one-cycle policy.
    #[doc(alias = "final_div")]
    pub fn with_final_div(mut self, final_div: f64) -> Self {
        self.cycle(|cycle| cycle.final_div = Some(final_div));
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

    /// Makes the fit survive the end of its process: steps are saved into a folder, and the same program, run again, goes
    /// on from the last one. It ends with the bits of a fit that was never interrupted: weights, statistics, optimizer,
    /// history, and what the callbacks have gathered.
    ///
    /// The first Ctrl-C (or the signal with which a system ends a process) finishes the step, saves it, and makes the fit
    /// return [`Error::Interrupted`]. The second one ends the process at once. A fit that has ended is not trained
    /// again: its result is taken from the folder. Several fits of a program may share a folder; each has its own place
    /// in it, in the order in which they come.
    ///
    /// ```no_run
    /// # fn learner() -> vision_learner::Learner { unimplemented!() }
    /// use vision_learner::{FitConfig, slice};
    ///
    /// let mut learner = learner();
    /// learner.fit_with(FitConfig::one_cycle(4).with_lr(1e-3).resumable("run"))?;
    /// learner.unfreeze();
    /// learner.fit_with(FitConfig::one_cycle(20).with_lr(slice(1e-6..1e-4)).resumable("run"))?;
    /// # Ok::<(), vision_learner::Error>(())
    /// ```
    ///
    /// The fit returns [`Error::OtherFit`] if data, classes, architecture, seed, schedule or another setting is not what
    /// it was, [`Error::RunInUse`] if another process works in the folder, and [`Error::DamagedRun`] if its files are
    /// damaged.
    #[doc(alias("resume", "start_epoch"))]
    pub fn resumable(mut self, run: impl Into<Resumable>) -> Self {
        self.resumable = Some(run.into());
        self
    }

    /// Adds a callback to this fit.
    #[doc(alias = "callbacks")]
    pub fn with_callback(mut self, callback: impl Callback + 'static) -> Self {
        self.callbacks.push(Box::new(callback));
        self
    }

    /// The schedule by its settings.
    pub(crate) fn course(&self) -> String {
        format!("{:?}", self.course)
    }

    /// What applies the schedule; `None` without one.
    pub(crate) fn scheduler(&self, groups: &[Hyper], batches: usize) -> Result<Option<Scheduler>> {
        let schedule: &dyn Schedule = match &self.course {
            // Nothing is counted: a callback may end the run.
            Course::Constant => return Ok(None),
            Course::OneCycle(cycle) => cycle,
            Course::Other(schedule) => &**schedule,
        };
        let steps = |option, epochs: usize| {
            epochs.checked_mul(batches).ok_or_else(|| {
                let expected =
                    format!("a number of epochs of {batches} batches that can be counted");
                Error::Option(OptionError::new(option, expected, epochs))
            })
        };
        let span = Span {
            steps: steps("epochs", self.epochs)?,
            batches,
        };
        let first_step = steps("start_epoch", self.start_epoch)?;
        Ok(Some(Scheduler {
            groups: schedule.phases(groups, span)?,
            first_step,
        }))
    }
}

impl std::fmt::Debug for FitConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FitConfig")
            .field("epochs", &self.epochs)
            .field("start_epoch", &self.start_epoch)
            .field("lr", &self.lr)
            .field("wd", &self.wd)
            .field("course", &self.course)
            .finish_non_exhaustive()
    }
}
