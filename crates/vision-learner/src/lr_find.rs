//! The learning-rate finder: a short training run in which the rate grows until the loss diverges.

use std::mem;

use indicatif::ProgressBar;
use vision_base::OptionError;

use crate::lr_found::LrFind;
use crate::optim::schedule::Annealing;
use crate::train::callback::Callback;
use crate::train::context::Context;
use crate::train::fit::FitConfig;
use crate::train::progress::batch_bar;
use crate::train::recorder::Recorder;
use crate::{Error, Learner, Result, WeightDecay, unoptimized};

/// Options of the learning-rate finder, for [`Learner::lr_find_with`]. The defaults are fastai's.
///
/// ```
/// use vision_learner::LrFindConfig;
/// let config = LrFindConfig::new().with_start_lr(1e-6).with_num_it(200);
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct LrFindConfig {
    start_lr: f64,
    end_lr: f64,
    num_it: usize,
    stop_div: bool,
    wd: Option<WeightDecay>,
}

impl Default for LrFindConfig {
    fn default() -> Self {
        Self {
            start_lr: 1e-7,
            end_lr: 10.0,
            num_it: 100,
            stop_div: true,
            wd: None,
        }
    }
}

impl LrFindConfig {
    /// 100 batches from 1e-7 to 10.
    pub fn new() -> Self {
        Self::default()
    }

    /// The rate of the first batch. Default: 1e-7.
    pub fn with_start_lr(mut self, lr: f64) -> Self {
        self.start_lr = lr;
        self
    }

    /// The rate that would come after the last batch. Default: 10.
    pub fn with_end_lr(mut self, lr: f64) -> Self {
        self.end_lr = lr;
        self
    }

    /// The number of batches; may exceed one epoch. Default: 100.
    pub fn with_num_it(mut self, batches: usize) -> Self {
        self.num_it = batches;
        self
    }

    /// Whether to stop as soon as the smoothed loss exceeds four times its minimum so far. Turn this off
    /// for losses that can be negative. Default: true.
    pub fn with_stop_div(mut self, stop: bool) -> Self {
        self.stop_div = stop;
        self
    }

    /// The weight decay. Default: the learner's.
    pub fn with_wd(mut self, wd: impl Into<WeightDecay>) -> Self {
        self.wd = Some(wd.into());
        self
    }

    fn check(&self) -> Result<()> {
        let value = |field, expected, found: String| {
            Err(Error::Option(OptionError::new(field, expected, found)))
        };
        if !(self.start_lr.is_finite() && self.start_lr > 0.0) {
            return value("start_lr", "a number above 0", self.start_lr.to_string());
        }
        let ratio = self.end_lr / self.start_lr;
        if !(self.end_lr.is_finite() && ratio.is_finite() && ratio > 1.0) {
            let found = format!("{:e} after {:e}", self.end_lr, self.start_lr);
            return value("end_lr", "a number above start_lr", found);
        }
        if self.num_it == 0 {
            return value("num_it", "at least 1 batch", "0".to_owned());
        }
        Ok(())
    }
}

impl Learner {
    /// Trains a copy of the model for 100 batches while the learning rate grows from 1e-7 to 10, and
    /// returns the losses. `vision_interp::plot_lr_find` plots them.
    ///
    /// The learner does not change: weights, running statistics, optimizer, record and random state stay
    /// the same, bit for bit, and no file is written. (Callbacks that were added to the learner take part in
    /// the run if [`Callback::in_lr_find`] says so, and keep any state they gather.)
    ///
    /// ```no_run
    /// # fn example(mut learner: vision_learner::Learner) -> vision_learner::Result<()> {
    /// let found = learner.lr_find()?;
    /// if let Some(suggestion) = found.suggestion() {
    ///     println!("{suggestion}");
    ///     learner.fit_one_cycle(4, suggestion.valley)?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`fit_with`](Self::fit_with). A loss that is NaN or infinite ends the run without an error,
    /// unless it is the first.
    #[doc(alias = "LRFinder")]
    pub fn lr_find(&mut self) -> Result<LrFind> {
        self.lr_find_with(LrFindConfig::default())
    }

    /// What the last [`lr_find`](Self::lr_find) found; `None` if there was none.
    pub fn lr_found(&self) -> Option<&LrFind> {
        self.lr_found.as_ref()
    }

    /// [`lr_find`](Self::lr_find) with options: range, length or weight decay.
    ///
    /// # Errors
    ///
    /// As [`lr_find`](Self::lr_find), and [`Error::Option`] for an invalid range.
    pub fn lr_find_with(&mut self, config: LrFindConfig) -> Result<LrFind> {
        config.check()?;
        let batches = self.data().batches(vision_data::DatasetType::Train);
        let mut fit = FitConfig::new(config.num_it.div_ceil(batches.max(1)))
            .with_lr(config.start_lr)
            .with_callback(Finder {
                start_lr: config.start_lr,
                end_lr: config.end_lr,
                num_it: config.num_it,
                stop_div: config.stop_div,
                best: f64::INFINITY,
                bar: match self.settings.silent {
                    true => ProgressBar::hidden(),
                    false => batch_bar("finding the learning rate", config.num_it),
                },
            });
        fit.wd = config.wd;

        if !self.settings.silent {
            unoptimized::notice();
        }
        // Train a copy, so that the learner stays untouched whatever happens.
        let copy = self.model.snapshot();
        let model = mem::replace(&mut self.model, copy);
        let copy = self.optimizer.as_ref().map(|o| self.copy_of(o));
        let optimizer = mem::replace(&mut self.optimizer, copy);
        let recorder = mem::take(&mut self.recorder);
        let epochs_trained = self.epochs_trained;
        let silent = mem::replace(&mut self.settings.silent, true);
        let callbacks = mem::take(&mut self.settings.callbacks);
        let (taking_part, others): (Vec<_>, Vec<_>) = callbacks
            .into_iter()
            .enumerate()
            .partition(|(_, c)| c.in_lr_find());
        let (places, taking_part): (Vec<usize>, Vec<_>) = taking_part.into_iter().unzip();
        self.settings.callbacks = taking_part;
        let result = self.fit_with(fit);
        self.settings.silent = silent;
        let taking_part = places
            .into_iter()
            .zip(mem::take(&mut self.settings.callbacks));
        let mut callbacks: Vec<_> = taking_part.chain(others).collect();
        callbacks.sort_by_key(|(place, _)| *place);
        self.settings.callbacks = callbacks.into_iter().map(|(_, c)| c).collect();
        self.epochs_trained = epochs_trained;
        let record = mem::replace(&mut self.recorder, recorder);
        self.optimizer = optimizer;
        self.model = model;

        let Recorder {
            mut lrs,
            losses,
            raw_losses,
            mut moms,
            ..
        } = record;
        match result {
            Err(Error::NotFinite { .. } | Error::GradientNotFinite { .. })
                if !losses.is_empty() => {}
            result => _ = result?,
        }
        // The batch with the non-finite loss has a rate but no loss.
        lrs.truncate(losses.len());
        moms.truncate(losses.len());
        let found = LrFind {
            lrs,
            losses,
            raw_losses,
            moms,
        };
        self.lr_found = Some(found.clone());
        Ok(found)
    }
}

/// Sets the rate of each batch, and ends the run.
struct Finder {
    start_lr: f64,
    end_lr: f64,
    num_it: usize,
    stop_div: bool,
    best: f64,
    bar: ProgressBar,
}

impl Finder {
    fn set(&self, batch: usize, ctx: &mut Context<'_>) {
        let done = batch as f64 / self.num_it as f64;
        let lr = Annealing::Exponential.at(self.start_lr, self.end_lr, done);
        for group in ctx.optimizer.groups_mut() {
            group.lr = lr;
        }
    }
}

impl Callback for Finder {
    fn on_train_begin(&mut self, ctx: &mut Context<'_>) -> Result<()> {
        self.set(0, ctx);
        Ok(())
    }

    fn on_epoch_begin(&mut self, ctx: &mut Context<'_>) -> Result<()> {
        ctx.state.skip_validate = true;
        Ok(())
    }

    fn on_batch_end(&mut self, ctx: &mut Context<'_>) -> Result<()> {
        let done = ctx.state.iteration + 1;
        let loss = ctx.state.smooth_loss;
        if ctx.state.iteration == 0 || loss < self.best {
            self.best = loss;
        }
        self.set(done, ctx);
        self.bar
            .set_message(format!("loss {loss:.4} lr {:.2e}", ctx.optimizer.lr()));
        self.bar.inc(1);
        if done >= self.num_it || self.stop_div && loss > 4.0 * self.best {
            ctx.state.stop_epoch = true;
            ctx.state.stop_training = true;
        }
        Ok(())
    }

    fn on_train_end(&mut self, _ctx: &mut Context<'_>) -> Result<()> {
        self.bar.finish_and_clear();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_that_is_none_is_refused_with_its_field() {
        let bad = |config: LrFindConfig| config.check().unwrap_err().to_string();
        assert!(bad(LrFindConfig::new().with_start_lr(0.0)).contains("start_lr"));
        assert!(bad(LrFindConfig::new().with_start_lr(f64::NAN)).contains("start_lr"));
        assert!(bad(LrFindConfig::new().with_end_lr(1e-7)).contains("end_lr"));
        assert!(bad(LrFindConfig::new().with_end_lr(f64::INFINITY)).contains("end_lr"));
        let wide = LrFindConfig::new().with_start_lr(1e-320).with_end_lr(1e308);
        assert!(bad(wide).contains("end_lr"));
        assert!(bad(LrFindConfig::new().with_num_it(0)).contains("num_it"));
    }
}
