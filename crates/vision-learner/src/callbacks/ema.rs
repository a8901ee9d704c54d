//! An exponential moving average of the weights.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use vision_base::OptionError;

use crate::callbacks::weights::{Averaged, columns, is_last_epoch};
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
    name: String,
    takes_over: bool,
    steps: u64,
    average: Averaged,
    saved: Option<PathBuf>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct State {
    steps: u64,
    saved: Option<PathBuf>,
}

impl Ema {
    /// With a decay of at least 0 and below 1; 0.999 or more for long fits.
    pub fn new(decay: f64) -> Self {
        Self {
            decay,
            warmup: true,
            name: "ema".to_owned(),
            takes_over: false,
            steps: 0,
            average: Averaged::default(),
            saved: None,
        }
    }

    /// Sets whether the decay starts low. Default: yes.
    pub fn with_warmup(mut self, warmup: bool) -> Self {
        self.warmup = warmup;
        self
    }

    /// Sets the name under which the average is saved at the end of the fit. Default: `ema`.
    pub fn with_name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Sets whether the learner takes over the average at the end of the fit. Default: no.
    pub fn with_take_over(mut self, takes_over: bool) -> Self {
        self.takes_over = takes_over;
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
        format!(
            "decay {decay}, warm-up {warmup}, name {}, take over {}",
            self.name, self.takes_over
        )
    }

    fn columns(&self, metrics: &[String]) -> Vec<String> {
        columns("ema", metrics)
    }

    fn in_lr_find(&self) -> bool {
        false
    }

    fn state(&self) -> Result<CallbackState> {
        let state = State {
            steps: self.steps,
            saved: self.saved.clone(),
        };
        Ok(CallbackState {
            tensors: self.average.saved(),
            ..CallbackState::of("Ema", &state)?
        })
    }

    fn restore(&mut self, state: CallbackState, ctx: &mut Context<'_>) -> Result<()> {
        let State { steps, saved } = state.read("Ema")?;
        (self.steps, self.saved) = (steps, saved);
        self.average = Averaged::restored("Ema", state.tensors, ctx)?;
        Ok(())
    }

    fn on_train_begin(&mut self, ctx: &mut Context<'_>) -> Result<()> {
        if !(0.0..1.0).contains(&self.decay) {
            let expected = "a number of at least 0 and below 1";
            return Err(OptionError::new("decay", expected, self.decay).into());
        }
        ctx.check_name(&self.name)?;
        (self.steps, self.saved) = (0, None);
        self.average = Averaged::of(ctx);
        Ok(())
    }

    fn on_step_end(&mut self, ctx: &mut Context<'_>) -> Result<()> {
        if ctx.state.skip_step || ctx.state.skip_backward {
            return Ok(());
        }
        self.steps += 1;
        let warm = (1.0 + self.steps as f64) / (10.0 + self.steps as f64);
        let decay = if self.warmup {
            self.decay.min(warm)
        } else {
            self.decay
        };
        self.average.move_to(ctx, 1.0 - decay);
        Ok(())
    }

    fn on_epoch_end(&mut self, ctx: &mut Context<'_>) -> Result<()> {
        let last = is_last_epoch(ctx);
        let scores = self.average.validate(ctx, "ema", last)?;
        ctx.state.last_metrics.extend(scores);
        if last {
            self.saved = Some(self.average.save(ctx, &self.name)?);
        }
        Ok(())
    }

    fn on_train_end(&mut self, ctx: &mut Context<'_>) -> Result<()> {
        if self.saved.is_none() && !ctx.state.failed && !self.average.is_empty() {
            // Another callback has ended the fit early.
            self.average.recompute(ctx)?;
            self.saved = Some(self.average.save(ctx, &self.name)?);
        }
        if self.takes_over {
            ctx.state.reload.clone_from(&self.saved);
        }
        Ok(())
    }
}
