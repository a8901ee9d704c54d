//! The learning-rate finder: a short training run in which the rate grows until the loss diverges.

use std::{fmt, mem};

use indicatif::ProgressBar;
use vision_base::OptionError;

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

/// The result of the learning-rate finder: rates and losses, one entry per batch.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct LrFind {
    /// Learning rate of every layer group.
    pub lrs: Vec<f64>,
    /// Smoothed loss, used to stop the run and to suggest a rate.
    pub losses: Vec<f64>,
    /// Unsmoothed loss.
    pub raw_losses: Vec<f64>,
    /// Momentum.
    pub moms: Vec<f64>,
}

/// Suggested learning rates. Which one works best varies between data sets, so look at the plot too. To
/// train without looking, use the valley: one noisy batch can move the other two by orders of magnitude.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LrSuggestion {
    /// Where the loss falls most steeply: fastai v1's `min_grad_lr`.
    pub steepest: f64,
    /// A third and a half of a third into the longest stretch in which the loss falls: fastai
    /// 2's `valley`. fastai 2 skips the first tenth of the requested batches instead of the first 10.
    pub valley: f64,
    /// A tenth of the rate with the lowest loss.
    pub minimum: f64,
}

impl fmt::Display for LrSuggestion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "steepest {:.2e}, valley {:.2e}, a tenth of the rate of the lowest loss {:.2e}",
            self.steepest, self.valley, self.minimum
        )
    }
}

impl LrFind {
    /// The rates and smoothed losses used for suggestions: without the first 10 and the last 5, which
    /// are uninformative. A run of fewer than 30 batches drops the first third and the last sixth
    /// instead.
    pub fn window(&self) -> (&[f64], &[f64]) {
        let len = self.lrs.len().min(self.losses.len());
        let part = 10.min(len / 3)..len - 5.min(len / 6);
        (&self.lrs[part.clone()], &self.losses[part])
    }

    /// Suggested rates, from the [`window`](Self::window). `None` if it has fewer than three batches.
    #[doc(alias = "min_grad_lr")]
    pub fn suggestion(&self) -> Option<LrSuggestion> {
        let (lrs, losses) = self.window();
        if lrs.len() < 3 {
            return None;
        }
        let last = losses.len() - 1;
        // numpy's `gradient`: central differences, one-sided at the ends.
        let slope = |i: usize| match i {
            0 => losses[1] - losses[0],
            i if i == last => losses[last] - losses[last - 1],
            i => (losses[i + 1] - losses[i - 1]) / 2.0,
        };
        let least = |value: &dyn Fn(usize) -> f64| {
            let lower = |best: usize, i: usize| if value(i) < value(best) { i } else { best };
            (1..=last).fold(0, lower)
        };
        Some(LrSuggestion {
            steepest: lrs[least(&slope)],
            valley: lrs[valley(losses)],
            minimum: lrs[least(&|i| losses[i])] / 10.0,
        })
    }
}

/// The index that fastai 2's `valley` picks in the longest falling subsequence.
fn valley(losses: &[f64]) -> usize {
    let mut lengths = vec![1; losses.len()];
    let mut end = 0;
    for i in 1..losses.len() {
        let before = (0..i).filter(|&j| losses[i] < losses[j]);
        lengths[i] = 1 + before.map(|j| lengths[j]).max().unwrap_or(0);
        if lengths[i] > lengths[end] {
            end = i;
        }
    }
    // fastai counts from one before the first element of the subsequence.
    let section = lengths[end] as f64 / 3.0;
    (end + section as usize + (section / 2.0) as usize).saturating_sub(lengths[end])
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
        Ok(LrFind {
            lrs,
            losses,
            raw_losses,
            moms,
        })
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

    fn found(losses: &[f64]) -> LrFind {
        let lrs = (0..losses.len()).map(|i| 1e-7 * 10_f64.powf(0.08 * i as f64));
        LrFind {
            lrs: lrs.collect(),
            losses: losses.to_vec(),
            raw_losses: losses.to_vec(),
            moms: vec![0.9; losses.len()],
        }
    }

    // Loss of batch i: 2 - 1.5 / (1 + exp(-(i - 60) / 5)) + 0.02 (i - 85)² beyond 85.
    fn curve(len: usize) -> Vec<f64> {
        let loss = |i: f64| {
            let rises = (i - 85.0).max(0.0);
            2.0 - 1.5 / (1.0 + (-(i - 60.0) / 5.0).exp()) + 0.02 * rises * rises
        };
        (0..len).map(|i| loss(i as f64)).collect()
    }

    #[test]
    fn suggestions_are_those_of_fastais_rules() {
        let found = found(&curve(100));
        assert_eq!(found.window(), (&found.lrs[10..95], &found.losses[10..95]));
        let suggestion = found.suggestion().unwrap();
        // scripts/make_lr_find_numbers.py: numpy's gradient for the first, fastai 2.8.12's `valley`.
        assert_eq!(suggestion.steepest, found.lrs[10 + 50]);
        assert_eq!(suggestion.valley, found.lrs[10 + 36]);
        assert_eq!(suggestion.minimum, found.lrs[10 + 75] / 10.0);
    }

    #[test]
    fn the_valley_is_fastais_on_jagged_losses_too() {
        for (k, expected) in [32, 31, 25, 31, 33].into_iter().enumerate() {
            let loss = |i: usize| ((i * 37 + k * 53 + i * i * 11) % 101) as f64 / 20.0;
            let losses: Vec<f64> = (0..40).map(|i| loss(i) - 0.05 * i as f64).collect();
            assert_eq!(valley(&losses), expected, "{k}");
        }
        assert_eq!((valley(&[1.0, 2.0, 3.0]), valley(&[3.0, 2.0, 1.0])), (0, 0));
    }

    #[test]
    fn a_short_run_is_cut_less_and_a_very_short_one_suggests_nothing() {
        let lengths = |n: usize| found(&curve(n)).window().0.len();
        // Without a third and a sixth: 12 - 4 - 2. From 30 batches on, without 10 and 5.
        assert_eq!([12, 29, 30, 31].map(lengths), [6, 16, 15, 16]);
        for n in 0..30 {
            let some = found(&curve(n)).suggestion();
            assert_eq!(some.is_some(), lengths(n) >= 3, "{n}");
        }
    }

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
