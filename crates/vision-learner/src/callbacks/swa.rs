//! Stochastic weight averaging.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use vision_base::OptionError;

use crate::callbacks::weights::{Averaged, columns, is_last_epoch};
use crate::{Callback, CallbackState, Context, Result};

/// Stochastic weight averaging: the mean of the weights at the ends of the last epochs (Izmailov et al. 2018,
/// <https://arxiv.org/abs/1803.05407>; PyTorch's `AveragedModel`).
///
/// It needs a learning rate that stays high in these epochs, such as a constant one. The mean is validated at the end of
/// each of them (`swa_valid_loss`, `swa_` and each metric in the table), with the statistics of batch norms computed anew
/// over the training set, and saved as a checkpoint of its own at the end of the fit.
///
/// ```no_run
/// # fn fit(learner: &mut vision_learner::Learner) -> vision_learner::Result<()> {
/// use vision_learner::FitConfig;
/// use vision_learner::callbacks::Swa;
///
/// // The mean over the epochs 15 to 19.
/// learner.fit_with(FitConfig::new(20).with_lr(1e-3).with_callback(Swa::from_epoch(15)))?;
/// learner.load("swa")?;                                   // models/swa.safetensors
/// # Ok(())
/// # }
/// ```
#[doc(alias = "AveragedModel")]
#[derive(Clone, Debug)]
pub struct Swa {
    first: usize,
    name: String,
    takes_over: bool,
    /// Epochs in the mean.
    epochs: u64,
    average: Averaged,
    saved: Option<PathBuf>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct State {
    epochs: u64,
    saved: Option<PathBuf>,
}

impl Swa {
    /// Averages from the end of epoch `first` on, counted from 0.
    pub fn from_epoch(first: usize) -> Self {
        Self {
            first,
            name: "swa".to_owned(),
            takes_over: false,
            epochs: 0,
            average: Averaged::default(),
            saved: None,
        }
    }

    /// Sets the name under which the mean is saved at the end of the fit. Default: `swa`.
    pub fn with_name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Sets whether the learner takes over the mean at the end of the fit. Default: no.
    pub fn with_take_over(mut self, takes_over: bool) -> Self {
        self.takes_over = takes_over;
        self
    }
}

impl Callback for Swa {
    // Before the recorder.
    fn order(&self) -> i32 {
        -20
    }

    fn settings(&self) -> String {
        let (first, name) = (self.first, &self.name);
        format!(
            "from epoch {first}, name {name}, take over {}",
            self.takes_over
        )
    }

    fn columns(&self, metrics: &[String]) -> Vec<String> {
        columns("swa", metrics)
    }

    fn in_lr_find(&self) -> bool {
        false
    }

    fn state(&self) -> Result<CallbackState> {
        let state = State {
            epochs: self.epochs,
            saved: self.saved.clone(),
        };
        Ok(CallbackState {
            tensors: self.average.saved(),
            ..CallbackState::of("Swa", &state)?
        })
    }

    fn restore(&mut self, state: CallbackState, ctx: &mut Context<'_>) -> Result<()> {
        let State { epochs, saved } = state.read("Swa")?;
        (self.epochs, self.saved) = (epochs, saved);
        self.average = Averaged::restored("Swa", state.tensors, ctx)?;
        Ok(())
    }

    fn on_train_begin(&mut self, ctx: &mut Context<'_>) -> Result<()> {
        if self.first >= ctx.state.n_epochs && ctx.state.n_epochs > 0 {
            let expected = format!("an epoch of the fit, below {}", ctx.state.n_epochs);
            return Err(OptionError::new("from_epoch", expected, self.first).into());
        }
        ctx.check_name(&self.name)?;
        (self.epochs, self.saved) = (0, None);
        self.average = Averaged::default();
        Ok(())
    }

    fn on_epoch_end(&mut self, ctx: &mut Context<'_>) -> Result<()> {
        if ctx.state.epoch < self.first {
            return Ok(());
        }
        self.epochs += 1;
        if self.average.is_empty() {
            self.average = Averaged::of(ctx);
        } else {
            self.average.move_to(ctx, 1.0 / self.epochs as f64);
        }
        // The mean of the weights alone goes on: its statistics are those of the last validation.
        let scores = self.average.validate(ctx, "swa", true)?;
        ctx.state.last_metrics.extend(scores);
        if is_last_epoch(ctx) {
            self.saved = Some(self.average.save(ctx, &self.name)?);
        }
        Ok(())
    }

    fn on_train_end(&mut self, ctx: &mut Context<'_>) -> Result<()> {
        if self.saved.is_none() && !ctx.state.failed && !self.average.is_empty() {
            // Another callback has ended the fit early.
            self.saved = Some(self.average.save(ctx, &self.name)?);
        }
        if self.takes_over {
            ctx.state.reload.clone_from(&self.saved);
        }
        Ok(())
    }
}
