//! The learning-rate finder: a short training run in which the rate grows until the loss does.

use std::{fmt, mem};

use vision_base::OptionError;

use crate::optim::schedule::Annealing;
use crate::train::callback::{Callback, Context};
use crate::train::fit::FitConfig;
use crate::train::recorder::Recorder;
use crate::{Error, Learner, Result, WeightDecay};

/// How to look for a learning rate, for [`Learner::lr_find_with`]. The defaults are fastai's.
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

    /// The number of batches, more than one epoch's if need be. Default: 100.
    pub fn with_num_it(mut self, batches: usize) -> Self {
        self.num_it = batches;
        self
    }

    /// Whether to end as soon as the smoothed loss is more than four times the least so far. To be switched
    /// off for losses below zero. Default: yes.
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

/// What growing learning rates did to the loss, batch by batch.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct LrFind {
    /// Learning rate of every layer group.
    pub lrs: Vec<f64>,
    /// Smoothed loss, by which the run was ended and a rate is chosen.
    pub losses: Vec<f64>,
    /// Loss as computed.
    pub raw_losses: Vec<f64>,
    /// Momentum.
    pub moms: Vec<f64>,
}

/// Learning rates to choose from; which of them suits differs from set to set, so look at the plot too.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LrSuggestion {
    /// Where the loss falls most steeply: fastai v1's `min_grad_lr`.
    pub steepest: f64,
    /// A third and a half of a third into the longest stretch in which the loss falls: fastai 2's
    /// `valley` (which leaves out a tenth of the batches asked for at the start, and not 10).
    pub valley: f64,
    /// A tenth of the rate of the least loss.
    pub minimum: f64,
}

impl fmt::Display for LrSuggestion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "steepest {:.2e}, valley {:.2e}, a tenth of the rate of the least loss {:.2e}",
            self.steepest, self.valley, self.minimum
        )
    }
}

impl LrFind {
    /// Rates and smoothed losses without the first 10 and the last 5, which say little; of a run of fewer
    /// than 30 batches without a third and a sixth.
    pub fn window(&self) -> (&[f64], &[f64]) {
        let len = self.lrs.len().min(self.losses.len());
        let part = 10.min(len / 3)..len - 5.min(len / 6);
        (&self.lrs[part.clone()], &self.losses[part])
    }

    /// Rates that the [`window`](Self::window) suggests; none where it has fewer than three batches.
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

/// The place in the longest falling subsequence that fastai 2 takes.
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
    // fastai counts from one before the first of them.
    let section = lengths[end] as f64 / 3.0;
    (end + section as usize + (section / 2.0) as usize).saturating_sub(lengths[end])
}

impl Learner {
    /// Trains a copy for 100 batches while the learning rate grows from 1e-7 to 10, and returns what that
    /// did to the loss; `vision_interp::plot_lr_find` draws it.
    ///
    /// The learner stays as it is: weights, running statistics, optimizer, record and all that is random are
    /// those of before, bit for bit, and nothing is written. (Callbacks that were given to the learner hear of
    /// the run, and keep what they keep.)
    ///
    /// ```no_run
    /// # fn example(mut learner: vision_learner::Learner) -> vision_learner::Result<()> {
    /// let found = learner.lr_find()?;
    /// if let Some(suggestion) = found.suggestion() {
    ///     println!("{suggestion}");
    ///     learner.fit_one_cycle(4, suggestion.steepest)?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`fit_with`](Self::fit_with). A loss that is no number any more ends the run without an error, unless
    /// it is the first.
    pub fn lr_find(&mut self) -> Result<LrFind> {
        self.lr_find_with(LrFindConfig::default())
    }

    /// As [`lr_find`](Self::lr_find), with another range, length or weight decay.
    ///
    /// # Errors
    ///
    /// As [`lr_find`](Self::lr_find), and [`Error::Option`] for a range that is none.
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
            });
        fit.wd = config.wd;

        // A copy is trained, so whatever happens to it the learner is untouched.
        let copy = self.model.snapshot();
        let model = mem::replace(&mut self.model, copy);
        let copy = self.optimizer.as_ref().map(|o| self.copy_of(o));
        let optimizer = mem::replace(&mut self.optimizer, copy);
        let recorder = mem::take(&mut self.recorder);
        let epochs_trained = self.epochs_trained;
        let silent = mem::replace(&mut self.settings.silent, true);
        let result = self.fit_with(fit);
        self.settings.silent = silent;
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
        // The batch whose loss was no number has a rate and no loss.
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
        if done >= self.num_it || self.stop_div && loss > 4.0 * self.best {
            ctx.state.stop_epoch = true;
            ctx.state.stop_training = true;
        }
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
        // Without a third and a sixth: 12 - 4 - 2; from 30 on without 10 and 5.
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
