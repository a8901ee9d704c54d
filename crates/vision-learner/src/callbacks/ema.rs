//! An exponential moving average of the weights.

use vision_base::OptionError;

use crate::callbacks::averaged::Averaged;
use crate::callbacks::kept_average::{KeptAverage, is_last_epoch};
use crate::{Callback, CallbackState, Context, Result};

/// Keeps an exponential moving average of the weights, which often validates better than the weights themselves.
///
/// After each step, average ← d·average + (1 − d)·weights, where d is the decay; with a warm-up it is at most (1 + n) /
/// (10 + n) after n steps, so that the random beginning is soon forgotten. Running statistics are averaged in the same
/// way; at the end of the fit those of batch norms are computed anew over the training set.
///
/// The average is validated at the end of each epoch (`ema_valid_loss`, `ema_` and each metric in the table), and saved
/// as a checkpoint of its own at the end of the fit.
///
/// ```no_run
/// # fn fit(learner: &mut vision_learner::Learner) -> vision_learner::Result<()> {
/// use vision_learner::FitConfig;
/// use vision_learner::callbacks::Ema;
///
/// learner.fit_with(FitConfig::one_cycle(20).with_callback(Ema::new(0.999)))?;
/// learner.save("plain")?;
/// learner.load("ema")?;                                   // models/ema.safetensors
/// # Ok(())
/// # }
/// ```
///
/// Source: PyTorch's `get_ema_multi_avg_fn`; the warm-up is TensorFlow's `ExponentialMovingAverage`.
#[doc(alias("ModelEma", "AveragedModel"))]
#[derive(Clone, Debug)]
pub struct Ema {
    decay: f64,
    warmup: bool,
    kept: KeptAverage,
}

impl Ema {
    /// With a decay of at least 0 and below 1; 0.999 or more for long fits.
    pub fn new(decay: f64) -> Self {
        Self {
            decay,
            warmup: true,
            kept: KeptAverage::new("ema"),
        }
    }

    /// Sets whether the decay starts low. Default: yes.
    pub fn with_warmup(mut self, warmup: bool) -> Self {
        self.warmup = warmup;
        self
    }

    /// Sets the name under which the average is saved at the end of the fit. Default: `ema`.
    pub fn with_name(mut self, name: impl Into<String>) -> Self {
        self.kept.name = name.into();
        self
    }

    /// Sets whether the learner takes over the average at the end of the fit. Default: no. A [`SaveModel`](super::SaveModel) that
    /// reloads the best weights takes precedence.
    pub fn with_take_over(mut self, takes_over: bool) -> Self {
        self.kept.takes_over = takes_over;
        self
    }
}

impl Callback for Ema {
    // Before the recorder.
    fn order(&self) -> i32 {
        -20
    }

    fn settings(&self) -> String {
        let (decay, warmup) = (self.decay, self.warmup);
        format!("decay {decay}, warm-up {warmup}, {}", self.kept.settings())
    }

    fn columns(&self, metrics: &[String]) -> Vec<String> {
        self.kept.columns(metrics)
    }

    fn in_lr_find(&self) -> bool {
        false
    }

    fn state(&self) -> Result<CallbackState> {
        self.kept.state("Ema")
    }

    fn restore(&mut self, state: CallbackState, ctx: &mut Context<'_>) -> Result<()> {
        self.kept.restore("Ema", state, ctx)
    }

    fn on_train_begin(&mut self, ctx: &mut Context<'_>) -> Result<()> {
        if !(0.0..1.0).contains(&self.decay) {
            let expected = "a number of at least 0 and below 1";
            return Err(OptionError::new("decay", expected, self.decay).into());
        }
        self.kept.begin(ctx, Averaged::of(ctx))
    }

    fn on_step_end(&mut self, ctx: &mut Context<'_>) -> Result<()> {
        if ctx.state.skip_step || ctx.state.skip_backward {
            return Ok(());
        }
        self.kept.count = self.kept.count.saturating_add(1);
        let steps = self.kept.count as f64;
        let warm = (1.0 + steps) / (10.0 + steps);
        let decay = if self.warmup {
            self.decay.min(warm)
        } else {
            self.decay
        };
        self.kept.average.move_to(ctx, 1.0 - decay);
        Ok(())
    }

    fn on_epoch_end(&mut self, ctx: &mut Context<'_>) -> Result<()> {
        let last = is_last_epoch(ctx);
        self.kept.end_epoch(ctx, last)
    }

    fn on_train_end(&mut self, ctx: &mut Context<'_>) -> Result<()> {
        self.kept.end_fit(ctx, true)
    }
}
