//! Follows a value from epoch to epoch.

use serde::{Deserialize, Serialize};
use vision_base::OptionError;

use crate::{Better, Context, Result};

/// The best value so far of a metric or loss.
#[derive(Clone, Debug)]
pub(super) struct Monitor {
    pub(super) name: String,
    pub(super) min_delta: f64,
    better: Better,
    best: Option<f64>,
}

/// What a monitor has gathered.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Seen {
    pub(super) best: Option<f64>,
}

impl Monitor {
    pub(super) fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            min_delta: 0.0,
            better: Better::Higher,
            best: None,
        }
    }

    /// Forgets earlier fits, and finds out which values are better.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchMetric`](crate::Error::NoSuchMetric), and an invalid `min_delta`.
    pub(super) fn begin(&mut self, ctx: &Context<'_>) -> Result<()> {
        if !(self.min_delta.is_finite() && self.min_delta >= 0.0) {
            let expected = "a finite number of at least 0";
            return Err(OptionError::new("min_delta", expected, self.min_delta).into());
        }
        self.better = ctx.better(&self.name)?;
        self.best = None;
        Ok(())
    }

    /// Whether the value of this epoch is the best so far; `None` if there is none. NaN is never the best.
    pub(super) fn improves(&mut self, ctx: &Context<'_>) -> Option<bool> {
        let value = ctx.value(&self.name)?;
        let improves = match self.best {
            Some(best) => self.better.is_better(value, best, self.min_delta),
            None => !value.is_nan(),
        };
        if improves {
            self.best = Some(value);
        }
        Some(improves)
    }

    pub(super) fn seen(&self) -> Seen {
        // JSON has no infinity: what is only better than infinity is better than nothing.
        let best = self.best.filter(|best| best.is_finite());
        Seen { best }
    }

    pub(super) fn restore(&mut self, seen: &Seen) {
        self.best = seen.best;
    }
}
