//! From which confidence on a model should answer.

use std::fmt;

use serde::Serialize;
use vision_base::OptionError;

use crate::Result;
use crate::evaluate::interval::Interval;
use crate::evaluate::labeled;
use crate::predict::predictions::Predictions;

/// The settings of [`abstain_threshold_with`].
#[derive(Clone, Copy, Debug, PartialEq)]
#[must_use]
pub struct AbstainConfig {
    error_rate: f64,
    upper_bound: bool,
}

impl AbstainConfig {
    /// The error rate among the answered items of these predictions is at most this, from 0 to 1.
    pub fn new(error_rate: f64) -> Self {
        Self {
            error_rate,
            upper_bound: false,
        }
    }

    /// Whether the upper bound of the 95 % interval of the error rate ([`Interval::wilson`]) must be at most the requested
    /// rate, and not the rate itself: more careful, at the cost of more items without an answer. Default: false.
    pub fn with_upper_bound(mut self, upper_bound: bool) -> Self {
        self.upper_bound = upper_bound;
        self
    }
}

/// The confidence from which on a model answers, and what that costs: [`abstain_threshold`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Abstention {
    /// The model answers if the probability of the predicted class is at least this, and abstains below it.
    pub threshold: f32,
    /// Number of items.
    pub items: u64,
    /// Number of items that are answered.
    pub answered: u64,
    /// Number of answered items that are wrong.
    pub wrong: u64,
    /// The 95 % interval of the error rate among the answered items.
    pub interval: Interval,
}

/// The lowest confidence from which on the model answers with an error rate of at most `error_rate`, so that it abstains
/// from as few items as possible.
///
/// The confidence is the probability of the predicted class. Use predictions for images that the model has not been
/// trained on. The threshold fits these items best, so that the rate on other items is often a little higher:
/// [`AbstainConfig::with_upper_bound`] leaves room for that.
///
/// ```
/// use vision_data::Targets;
/// use vision_learner::{Predictions, abstain_threshold};
///
/// let predictions = Predictions {
///     probabilities: vec![0.9, 0.1, 0.8, 0.2, 0.7, 0.3, 0.6, 0.4],
///     classes: 2,
///     targets: Targets::Category(vec![0, 0, 0, 1]),
///     losses: vec![0.1, 0.2, 0.4, 0.9],
///     indices: (0..4).collect(),
/// };
/// let found = abstain_threshold(&predictions, 0.1)?;
/// assert_eq!((found.threshold, found.coverage(), found.error_rate()), (0.7, 0.75, 0.0));
/// println!("{found}");
/// # Ok::<(), vision_learner::Error>(())
/// ```
///
/// # Errors
///
/// [`Error::Option`](crate::Error::Option) if `error_rate` is not from 0 to 1 or no confidence reaches it, or without
/// items, labels or whole rows of probabilities. An error if items do not have one class each.
#[doc(alias("selective_prediction", "reject"))]
pub fn abstain_threshold(predictions: &Predictions, error_rate: f64) -> Result<Abstention> {
    abstain_threshold_with(predictions, &AbstainConfig::new(error_rate))
}

/// [`abstain_threshold`] with settings.
///
/// # Errors
///
/// As [`abstain_threshold`].
pub fn abstain_threshold_with(
    predictions: &Predictions,
    config: &AbstainConfig,
) -> Result<Abstention> {
    let wanted = config.error_rate;
    if !(0.0..=1.0).contains(&wanted) {
        return Err(OptionError::new("error_rate", "a rate from 0 to 1", wanted).into());
    }
    let right = labeled::right(predictions)?;
    let confidence = |item: usize| predictions.row(item)[predictions.predicted(item)];
    let mut items: Vec<(f32, bool)> = right
        .iter()
        .enumerate()
        .map(|(item, right)| (confidence(item), *right))
        .collect();
    if let Some((found, _)) = items.iter().find(|item| !(0.0..=1.0).contains(&item.0)) {
        let expected = "probabilities from 0 to 1";
        return Err(OptionError::new("predictions", expected, found).into());
    }
    items.sort_by(|a, b| b.0.total_cmp(&a.0));
    let (mut answered, mut wrong) = (0, 0);
    let mut best = None;
    // What can be reached at all, for the message.
    let mut least = f64::INFINITY;
    for ties in items.chunk_by(|a, b| a.0 == b.0) {
        answered += ties.len() as u64;
        wrong += ties.iter().filter(|item| !item.1).count() as u64;
        // There is an interval, since there are items.
        let Some(interval) = Interval::wilson(wrong, answered) else {
            continue;
        };
        let found = Abstention {
            threshold: ties[0].0,
            items: items.len() as u64,
            answered,
            wrong,
            interval,
        };
        let rate = match config.upper_bound {
            true => interval.high,
            false => found.error_rate(),
        };
        least = least.min(rate);
        if rate <= wanted {
            best = Some(found);
        }
    }
    best.ok_or_else(|| {
        let what = match config.upper_bound {
            true => "upper bound of the error rate",
            false => "error rate",
        };
        let expected = format!(
            "at least {least:.4}, the smallest {what} that any confidence reaches on these {} items",
            items.len()
        );
        OptionError::new("error_rate", expected, wanted).into()
    })
}

impl Abstention {
    /// The fraction of items that are answered.
    pub fn coverage(&self) -> f64 {
        self.answered as f64 / self.items as f64
    }

    /// The fraction of answered items that are wrong.
    pub fn error_rate(&self) -> f64 {
        self.wrong as f64 / self.answered as f64
    }
}

/// `Abstain below a confidence of 0.8312: then 430 of 500 items (86.0 %) are answered, and 8 of these (1.9 %, 95 % interval
/// 0.9 to 3.6 %) are wrong.`
impl fmt::Display for Abstention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            threshold,
            items,
            answered,
            wrong,
            ..
        } = self;
        let interval = Interval {
            low: 100.0 * self.interval.low,
            high: 100.0 * self.interval.high,
        };
        write!(
            f,
            "Abstain below a confidence of {threshold:.4}: then {answered} of {items} items ({:.1} %) are answered, and \
             {wrong} of these ({:.1} %, 95 % interval {interval:.1} %) are wrong.",
            100.0 * self.coverage(),
            100.0 * self.error_rate(),
        )
    }
}
