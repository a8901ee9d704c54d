//! Stochastic weight averaging.

use vision_base::OptionError;

use crate::callbacks::averaged::Averaged;
use crate::callbacks::kept_average::KeptAverage;
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
    kept: KeptAverage,
}

impl Swa {
    /// Averages from the end of epoch `first` on, counted from 0.
    pub fn from_epoch(first: usize) -> Self {
        Self {
            first,
            kept: KeptAverage::new("swa"),
        }
    }

    /// Sets the name under which the mean is saved at the end of the fit. Default: `swa`.
    pub fn with_name(mut self, name: impl Into<String>) -> Self {
        self.kept.name = name.into();
        self
    }

    /// Sets whether the learner takes over the mean at the end of the fit. Default: no. A [`SaveModel`](super::SaveModel) that
    /// reloads the best weights takes precedence.
    pub fn with_take_over(mut self, takes_over: bool) -> Self {
        self.kept.takes_over = takes_over;
        self
    }
}

impl Callback for Swa {
    // Before the recorder.
    fn order(&self) -> i32 {
        -20
    }

    fn settings(&self) -> String {
        format!("from epoch {}, {}", self.first, self.kept.settings())
    }

    fn columns(&self, metrics: &[String]) -> Vec<String> {
        self.kept.columns(metrics)
    }

    fn in_lr_find(&self) -> bool {
        false
    }

    fn state(&self) -> Result<CallbackState> {
        self.kept.state("Swa")
    }

    fn restore(&mut self, state: CallbackState, ctx: &mut Context<'_>) -> Result<()> {
        self.kept.restore("Swa", state, ctx)
    }

    fn on_train_begin(&mut self, ctx: &mut Context<'_>) -> Result<()> {
        if self.first >= ctx.state.n_epochs && ctx.state.n_epochs > 0 {
            let expected = format!("an epoch of the fit, below {}", ctx.state.n_epochs);
            return Err(OptionError::new("from_epoch", expected, self.first).into());
        }
        self.kept.begin(ctx, Averaged::default())
    }

    fn on_epoch_end(&mut self, ctx: &mut Context<'_>) -> Result<()> {
        if ctx.state.epoch < self.first {
            return Ok(());
        }
        self.kept.count = self.kept.count.saturating_add(1);
        if self.kept.average.is_empty() {
            self.kept.average = Averaged::of(ctx);
        } else {
            let part = 1.0 / self.kept.count as f64;
            self.kept.average.move_to(ctx, part);
        }
        self.kept.end_epoch(ctx, true)
    }

    fn on_train_end(&mut self, ctx: &mut Context<'_>) -> Result<()> {
        // Each epoch has computed the statistics of its mean.
        self.kept.end_fit(ctx, false)
    }
}
