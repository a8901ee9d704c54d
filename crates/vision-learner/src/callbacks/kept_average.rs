//! What Ema and Swa do with their average: validate it, save it, hand it over, and survive an interruption.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::callbacks::averaged::Averaged;
use crate::{CallbackState, Context, MetricValue, Result};

/// An average of weights that is kept beside the weights themselves.
#[derive(Clone, Debug)]
pub(super) struct KeptAverage {
    /// Before the names of its columns.
    prefix: &'static str,
    /// Of its checkpoint.
    pub(super) name: String,
    /// Whether the learner takes it over at the end of the fit.
    pub(super) takes_over: bool,
    pub(super) average: Averaged,
    /// Steps or epochs that are in the average.
    pub(super) count: u64,
    saved: Option<PathBuf>,
    /// The scores of what is saved.
    scores: Vec<MetricValue>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct State {
    count: u64,
    saved: Option<PathBuf>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    scores: Vec<MetricValue>,
}

impl KeptAverage {
    /// The checkpoint has the name of the columns' prefix, unless it gets another one.
    pub(super) fn new(prefix: &'static str) -> Self {
        Self {
            prefix,
            name: prefix.to_owned(),
            takes_over: false,
            average: Averaged::default(),
            count: 0,
            saved: None,
            scores: Vec::new(),
        }
    }

    pub(super) fn settings(&self) -> String {
        format!("name {}, take over {}", self.name, self.takes_over)
    }

    /// The names of the columns: the loss and the metrics, with the prefix.
    pub(super) fn columns(&self, metrics: &[String]) -> Vec<String> {
        let loss = std::iter::once("valid_loss");
        let names = loss.chain(metrics.iter().map(String::as_str));
        names
            .map(|name| format!("{}_{name}", self.prefix))
            .collect()
    }

    pub(super) fn state(&self, callback: &str) -> Result<CallbackState> {
        let state = State {
            count: self.count,
            saved: self.saved.clone(),
            scores: self.scores.clone(),
        };
        Ok(CallbackState {
            tensors: self.average.saved(),
            ..CallbackState::of(callback, &state)?
        })
    }

    pub(super) fn restore(
        &mut self,
        callback: &str,
        state: CallbackState,
        ctx: &Context<'_>,
    ) -> Result<()> {
        let State {
            count,
            saved,
            scores,
        } = state.read(callback)?;
        (self.count, self.saved, self.scores) = (count, saved, scores);
        self.average = Averaged::restored(callback, state.tensors, ctx)?;
        Ok(())
    }

    /// Begins anew with an average.
    pub(super) fn begin(&mut self, ctx: &Context<'_>, average: Averaged) -> Result<()> {
        ctx.check_name(&self.name)?;
        (self.count, self.saved, self.scores) = (0, None, Vec::new());
        self.average = average;
        Ok(())
    }

    /// Adds the scores of the average to the row of the epoch, and saves it at the end of the fit. If `whole`, the
    /// statistics of batch norms are first computed anew.
    pub(super) fn end_epoch(&mut self, ctx: &mut Context<'_>, whole: bool) -> Result<()> {
        let scores = self.average.validate(ctx, self.prefix, whole)?;
        let prefix = format!("{}_", self.prefix);
        let own = |(name, value): &(String, f64)| {
            let name = name.strip_prefix(&prefix).unwrap_or(name);
            MetricValue::new(name, *value)
        };
        let without_prefix = scores.iter().map(own).collect();
        ctx.state.last_metrics.extend(scores);
        if is_last_epoch(ctx) {
            self.saved = Some(self.average.save(ctx, &self.name)?);
            self.scores = without_prefix;
        }
        Ok(())
    }

    /// Saves the average if another callback has ended the fit early, and hands it over if that is wanted. If
    /// `recompute`, the statistics of batch norms are computed anew before it is saved.
    pub(super) fn end_fit(&mut self, ctx: &mut Context<'_>, recompute: bool) -> Result<()> {
        if self.saved.is_none() && !ctx.state.failed && !self.average.is_empty() {
            if recompute {
                self.average.recompute(ctx)?;
            }
            self.saved = Some(self.average.save(ctx, &self.name)?);
        }
        if self.takes_over {
            ctx.state.reload.clone_from(&self.saved);
            ctx.state.reload_scores.clone_from(&self.scores);
        }
        Ok(())
    }
}

/// Whether the fit ends after this epoch.
pub(super) fn is_last_epoch(ctx: &Context<'_>) -> bool {
    ctx.state.stop_training || ctx.state.epoch + 1 >= ctx.state.n_epochs
}
