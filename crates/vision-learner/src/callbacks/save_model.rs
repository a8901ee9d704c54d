//! Saves the best or the last checkpoints of a fit.

use std::fs;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use vision_base::OptionError;
use vision_data::DatasetType;

use crate::callbacks::monitor::{Monitor, Seen};
use crate::{Callback, CallbackState, Context, MetricValue, Result};

/// Saves checkpoints at the end of epochs: the best by a metric or loss, or every so many epochs.
///
/// ```
/// use vision_learner::FitConfig;
/// use vision_learner::callbacks::SaveModel;
/// // models/best.safetensors; after the fit, the learner has its weights.
/// let config = FitConfig::one_cycle(20).with_callback(SaveModel::best("accuracy").with_name("best"));
/// // models/epoch_1.safetensors, models/epoch_3.safetensors, ..: the last three of them.
/// let config = FitConfig::one_cycle(20).with_callback(SaveModel::every(2).with_name("epoch").keep_last(3));
/// ```
#[doc(alias = "SaveModelCallback")]
#[derive(Clone, Debug)]
pub struct SaveModel {
    /// `None` to save every so many epochs.
    monitor: Option<Monitor>,
    every: usize,
    name: String,
    keep: Option<usize>,
    reload: bool,
    /// Whether the weights that the fit begins with may be the best.
    start: bool,
    /// What this fit has saved and not removed, the oldest first.
    saved: Vec<PathBuf>,
    /// The scores of the last of them.
    scores: Vec<MetricValue>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct State {
    seen: Option<Seen>,
    saved: Vec<PathBuf>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    scores: Vec<MetricValue>,
}

impl SaveModel {
    /// Saves when `train_loss`, `valid_loss` or a metric of this name is better than ever before in the fit. At the end of
    /// the fit the learner takes over the best weights, statistics and optimizer.
    pub fn best(monitor: impl Into<String>) -> Self {
        Self {
            monitor: Some(Monitor::new(monitor)),
            every: 1,
            name: "bestmodel".to_owned(),
            keep: None,
            reload: true,
            start: false,
            saved: Vec::new(),
            scores: Vec::new(),
        }
    }

    /// Saves every `epochs` epochs, each time under the name with `_` and the number of the epoch.
    pub fn every(epochs: usize) -> Self {
        Self {
            monitor: None,
            every: epochs,
            reload: false,
            ..Self::best("valid_loss")
        }
    }

    /// Sets the name, as for [`Learner::save`](crate::Learner::save). Default: `bestmodel`.
    pub fn with_name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Keeps only the last so many of the checkpoints that this fit has saved [every](Self::every) so many epochs, and
    /// removes the others. Default: keeps all.
    pub fn keep_last(mut self, checkpoints: usize) -> Self {
        self.keep = Some(checkpoints);
        self
    }

    /// Sets by how much more than this a value must be better to be the best. Default: 0.
    pub fn with_min_delta(mut self, min_delta: f64) -> Self {
        if let Some(monitor) = &mut self.monitor {
            monitor.min_delta = min_delta;
        }
        self
    }

    /// Sets what decides between epochs whose values are equal: `train_loss`, `valid_loss` or a metric of this name. Default:
    /// the first of them is the best, as in fastai. Accuracies on few images are often equal.
    ///
    /// ```
    /// use vision_learner::callbacks::SaveModel;
    /// let best = SaveModel::best("accuracy").with_tie_break("valid_loss");
    /// ```
    pub fn with_tie_break(mut self, monitor: impl Into<String>) -> Self {
        if let Some(own) = &mut self.monitor {
            own.set_tie(monitor.into());
        }
        self
    }

    /// Sets whether the learner takes over the [best](Self::best) weights at the end of the fit. Default: yes.
    pub fn with_reload(mut self, reload: bool) -> Self {
        self.reload = reload;
        self
    }

    /// Sets whether the weights that a fit begins with may be the [best](Self::best), too, if the learner has trained before.
    /// They are scored before the first epoch. Default: no, as in fastai. With it, training the whole network after its head
    /// never ends with a worse one.
    ///
    /// ```
    /// use vision_learner::callbacks::SaveModel;
    /// let best = SaveModel::best("accuracy").with_start(true);
    /// ```
    pub fn with_start(mut self, start: bool) -> Self {
        self.start = start;
        self
    }

    /// Scores and saves the weights as they are before the first step of a fit.
    fn save_start(&mut self, ctx: &mut Context<'_>) -> Result<()> {
        let Some(monitor) = &mut self.monitor else {
            return Ok(());
        };
        let valid = ctx.data().batches(DatasetType::Valid) > 0;
        if !(self.start && self.saved.is_empty() && valid && ctx.begins_trained()) {
            return Ok(());
        }
        let scores = ctx.validate()?;
        let of = |name: &str| scores.iter().find(|(own, _)| own == name);
        if monitor.improves_by(|name| Some(of(name)?.1)) == Some(true) {
            let scores = scores.into_iter();
            let scores = scores.map(|(name, value)| MetricValue::new(name, value));
            self.save(&self.name.clone(), scores.collect(), ctx)?;
        }
        Ok(())
    }

    fn save(&mut self, name: &str, scores: Vec<MetricValue>, ctx: &Context<'_>) -> Result<()> {
        let path = ctx.save(name)?;
        self.scores = scores;
        self.saved.retain(|saved| *saved != path);
        self.saved.push(path);
        while self.keep.is_some_and(|keep| self.saved.len() > keep) {
            let old = self.saved.remove(0);
            if !ctx.is_main() {
                continue;
            }
            // One that is gone already is no fault.
            let _ = (
                fs::remove_file(old.with_extension("json")),
                fs::remove_file(old),
            );
        }
        Ok(())
    }
}

impl Callback for SaveModel {
    // After callbacks that change weights at the end of an epoch.
    fn order(&self) -> i32 {
        100
    }

    fn settings(&self) -> String {
        let what = match &self.monitor {
            Some(monitor) => {
                let Monitor {
                    name, min_delta, ..
                } = monitor;
                let tie = monitor.tie();
                let tie = tie.map_or(String::new(), |tie| format!(", ties by {tie}"));
                let start = if self.start { ", from the start" } else { "" };
                format!(
                    "best {name}{tie}{start}, min_delta {min_delta}, reload {}",
                    self.reload
                )
            }
            None => format!("every {}, keep {:?}", self.every, self.keep),
        };
        format!("{what}, name {}", self.name)
    }

    fn in_lr_find(&self) -> bool {
        false
    }

    fn state(&self) -> Result<CallbackState> {
        let state = State {
            seen: self.monitor.as_ref().map(Monitor::seen),
            saved: self.saved.clone(),
            scores: self.scores.clone(),
        };
        CallbackState::of("SaveModel", &state)
    }

    fn restore(&mut self, state: CallbackState, _ctx: &mut Context<'_>) -> Result<()> {
        let State {
            seen,
            saved,
            scores,
        } = state.read("SaveModel")?;
        if let (Some(monitor), Some(seen)) = (&mut self.monitor, &seen) {
            monitor.restore(seen);
        }
        (self.saved, self.scores) = (saved, scores);
        Ok(())
    }

    fn on_train_begin(&mut self, ctx: &mut Context<'_>) -> Result<()> {
        self.saved.clear();
        self.scores.clear();
        for (option, value) in [("every", Some(self.every)), ("keep_last", self.keep)] {
            if value == Some(0) {
                return Err(OptionError::new(option, "at least 1", 0).into());
            }
        }
        ctx.check_name(&self.name)?;
        match &mut self.monitor {
            Some(monitor) => monitor.begin(ctx),
            None => Ok(()),
        }
    }

    fn on_epoch_begin(&mut self, ctx: &mut Context<'_>) -> Result<()> {
        self.save_start(ctx)
    }

    fn on_epoch_end(&mut self, ctx: &mut Context<'_>) -> Result<()> {
        let epoch = ctx.state.epoch;
        let name = match &mut self.monitor {
            Some(monitor) => (monitor.improves(ctx) == Some(true)).then(|| self.name.clone()),
            None => {
                let due = (epoch + 1).is_multiple_of(self.every);
                due.then(|| format!("{}_{epoch}", self.name))
            }
        };
        match name {
            Some(name) => {
                let loss = ctx.state.valid_loss;
                let loss = loss.map(|loss| MetricValue::new("valid_loss", loss));
                let metrics = ctx.state.last_metrics.iter();
                let metrics = metrics.map(|(name, value)| MetricValue::new(name, *value));
                let scores = loss.into_iter().chain(metrics);
                self.save(&name, scores.collect(), ctx)
            }
            None => Ok(()),
        }
    }

    fn on_train_end(&mut self, ctx: &mut Context<'_>) -> Result<()> {
        if self.reload && self.monitor.is_some() {
            // Without a best epoch, what another callback wants stays.
            if let Some(best) = self.saved.last() {
                ctx.state.reload = Some(best.clone());
                ctx.state.reload_scores.clone_from(&self.scores);
            }
        }
        Ok(())
    }
}
