//! Follows a value from epoch to epoch.

use serde::{Deserialize, Serialize};
use vision_base::OptionError;

use crate::{Better, Context, Result};

/// The best value so far of a metric or loss.
#[derive(Clone, Debug)]
pub(super) struct Monitor {
    pub(super) name: String,
    pub(super) min_delta: f64,
    /// What decides between equal values.
    tie: Option<String>,
    better: Better,
    best: Option<f64>,
    tie_better: Better,
    /// The value of what decides between equals, when the best was seen.
    tie_best: Option<f64>,
}

/// What a monitor has gathered.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Seen {
    pub(super) best: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) tie: Option<f64>,
}

impl Monitor {
    pub(super) fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            min_delta: 0.0,
            tie: None,
            better: Better::Higher,
            best: None,
            tie_better: Better::Lower,
            tie_best: None,
        }
    }

    /// What decides between equal values, if anything does.
    pub(super) fn tie(&self) -> Option<&str> {
        self.tie.as_deref()
    }

    pub(super) fn set_tie(&mut self, name: String) {
        self.tie = Some(name);
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
        if let Some(tie) = &self.tie {
            self.tie_better = ctx.better(tie)?;
        }
        (self.best, self.tie_best) = (None, None);
        Ok(())
    }

    /// Whether the value of this epoch is the best so far; `None` if there is none. NaN is never the best.
    pub(super) fn improves(&mut self, ctx: &Context<'_>) -> Option<bool> {
        self.improves_by(|name| ctx.value(name))
    }

    /// The same for the values that `of` gives by their names.
    pub(super) fn improves_by(&mut self, of: impl Fn(&str) -> Option<f64>) -> Option<bool> {
        let value = of(&self.name)?;
        let tie = self.tie.as_ref().and_then(|name| of(name));
        let wins_tie = || match (tie, self.tie_best) {
            (Some(tie), Some(best)) => self.tie_better.is_better(tie, best, 0.0),
            _ => false,
        };
        let improves = match self.best {
            Some(best) if value == best => wins_tie(),
            Some(best) => self.better.is_better(value, best, self.min_delta),
            None => !value.is_nan(),
        };
        if improves {
            (self.best, self.tie_best) = (Some(value), tie.filter(|tie| !tie.is_nan()));
        }
        Some(improves)
    }

    pub(super) fn seen(&self) -> Seen {
        // JSON has no infinity: what is only better than infinity is better than nothing.
        let best = self.best.filter(|best| best.is_finite());
        let tie = self.tie_best.filter(|tie| tie.is_finite());
        Seen { best, tie }
    }

    pub(super) fn restore(&mut self, seen: &Seen) {
        (self.best, self.tie_best) = (seen.best, seen.tie);
    }
}
