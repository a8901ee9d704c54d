//! Which of two classifiers is more accurate.

use std::fmt;

use crate::Result;
use crate::evaluate::interval::Interval;
use crate::evaluate::labeled;
use crate::evaluate::mcnemar::{McNemar, mcnemar};
use crate::evaluate::resample::Resample;
use crate::predict::predictions::Predictions;

/// Samples of the bootstrap, and their seed.
const SAMPLES: usize = 2000;
const SEED: u64 = 42;

/// The result of [`compare`]. `Display` is one sentence.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Comparison {
    /// Number of items.
    pub items: usize,
    /// The accuracy of the first classifier, from 0 to 1.
    pub accuracy_a: f64,
    /// The accuracy of the second.
    pub accuracy_b: f64,
    /// The second accuracy minus the first.
    pub difference: f64,
    /// The 95 % interval of the difference: percentiles over 2000 random samples of the items.
    pub interval: Interval,
    /// McNemar's test.
    pub test: McNemar,
}

/// Compares the accuracy of two classifiers on the same items: the difference with its 95 % interval by the paired
/// bootstrap, and [McNemar's test](mcnemar).
///
/// ```
/// use vision_data::Targets;
/// use vision_learner::{Predictions, compare};
///
/// // The first `right` of 100 items are right.
/// let run = |right: usize| Predictions {
///     probabilities: (0..100).flat_map(|i| if i < right { [0.9, 0.1] } else { [0.1, 0.9] }).collect(),
///     classes: 2,
///     targets: Targets::Category(vec![0; 100]),
///     losses: vec![0.1; 100],
///     indices: (0..100).collect(),
/// };
/// let found = compare(&run(90), &run(93))?;
/// assert!((found.difference - 0.03).abs() < 1e-12 && found.is_within_noise());
/// let sentence = found.to_string();
/// assert!(sentence.starts_with("Run B is 3.0 points more accurate (95 % interval"), "{sentence}");
/// assert!(sentence.ends_with("within noise"), "{sentence}");
/// # Ok::<(), vision_learner::Error>(())
/// ```
///
/// # Errors
///
/// As [`mcnemar`].
pub fn compare(a: &Predictions, b: &Predictions) -> Result<Comparison> {
    let pairs = labeled::pairs(a, b)?;
    let items = pairs.len();
    let gain = |pair: (bool, bool)| i64::from(pair.1) - i64::from(pair.0);
    let share = |count: i64| count as f64 / items as f64;
    let mut resample = Resample::new(items, SEED);
    let mut sample = || share(resample.draw().map(|item| gain(pairs[item])).sum());
    let samples: Vec<f64> = (0..SAMPLES).map(|_| sample()).collect();
    let difference = share(pairs.iter().copied().map(gain).sum());
    let right =
        |of: fn(&(bool, bool)) -> bool| share(pairs.iter().filter(|p| of(p)).count() as i64);
    Ok(Comparison {
        items,
        accuracy_a: right(|pair| pair.0),
        accuracy_b: right(|pair| pair.1),
        difference,
        interval: Interval::of_percentiles(samples).unwrap_or(Interval {
            low: difference,
            high: difference,
        }),
        test: mcnemar(a, b)?,
    })
}

impl Comparison {
    /// Whether two equally good classifiers could show this difference by chance: the interval contains 0, or the p value is
    /// 0.05 or more.
    pub fn is_within_noise(&self) -> bool {
        self.interval.contains(0.0) || self.test.p_value >= 0.05
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let points = 100.0 * self.difference;
        // Of the run that is named as the better one.
        let sign = if points < 0.0 { -1.0 } else { 1.0 };
        let bounds = [self.interval.low, self.interval.high].map(|bound| 100.0 * sign * bound);
        let (low, high) = (bounds[0].min(bounds[1]), bounds[0].max(bounds[1]));
        match points {
            0.0 => write!(f, "Both runs are equally accurate")?,
            points if points > 0.0 => write!(f, "Run B is {points:.1} points more accurate")?,
            points => write!(f, "Run A is {:.1} points more accurate", -points)?,
        }
        // Zero without a sign.
        let (low, high) = (low + 0.0, high + 0.0);
        write!(
            f,
            " (95 % interval {low:.1} to {high:.1}, p = {:.2})",
            self.test.p_value
        )?;
        let verdict = if self.is_within_noise() {
            "within noise"
        } else {
            "more than noise"
        };
        write!(f, ": {verdict}")
    }
}
