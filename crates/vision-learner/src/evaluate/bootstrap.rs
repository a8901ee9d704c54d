//! The interval of a metric by the bootstrap.

use std::fmt;

use vision_base::OptionError;
use vision_data::TargetKind;

use crate::evaluate::interval::Interval;
use crate::evaluate::labeled;
use crate::evaluate::resample::Resample;
use crate::metrics::{Metric, Scores};
use crate::predict::outputs::outputs_of;
use crate::predict::predictions::Predictions;
use crate::{Error, Result};

/// Largest number of samples.
const MOST_SAMPLES: usize = 100_000;

/// A metric with its interval: [`bootstrap`].
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Bootstrap {
    /// Name of the metric.
    pub metric: String,
    /// Its value for the items.
    pub value: f64,
    /// The 95 % interval; `None` if the metric is undefined in every sample.
    pub interval: Option<Interval>,
    /// Number of samples in which the metric is defined.
    pub samples: usize,
    /// Number of samples left out because the metric is undefined there: for example the ROC AUC of a sample in which a
    /// class is missing.
    pub undefined: usize,
}

/// The 95 % interval of a metric for the items of a set: the percentiles of its values for `n` random samples of the
/// items, with replacement (Efron 1979; the percentile method of scipy's `bootstrap`).
///
/// It says how much the value would vary with other images of the same kind, for this one trained model. It is too narrow
/// if items belong together, such as frames of a video. `n` is from 1 to 100,000; 2000 are usual. The same seed gives
/// the same interval.
///
/// Metrics get the logarithm of the probabilities as logits, or the logit of those of several classes.
///
/// ```
/// use vision_data::Targets;
/// use vision_learner::{Predictions, accuracy, bootstrap};
///
/// // The first 30 of 40 items are right.
/// let predictions = Predictions {
///     probabilities: [0.9, 0.1].repeat(40),
///     classes: 2,
///     targets: Targets::Category([vec![0; 30], vec![1; 10]].concat()),
///     losses: vec![0.1; 40],
///     indices: (0..40).collect(),
/// };
/// let found = bootstrap(accuracy(), &predictions, 2000, 0)?;
/// assert_eq!(found.value, 0.75);
/// assert!(found.interval.is_some_and(|interval| interval.contains(0.7)));
/// # Ok::<(), vision_learner::Error>(())
/// ```
///
/// # Errors
///
/// [`Error::Option`] if `n` is out of range, or without items, labels or whole rows of predictions;
/// [`Error::MetricKind`] if the metric is for other labels.
pub fn bootstrap(
    mut metric: impl Metric,
    predictions: &Predictions,
    n: usize,
    seed: u64,
) -> Result<Bootstrap> {
    if !(1..=MOST_SAMPLES).contains(&n) {
        return Err(OptionError::new("n", format!("1 to {MOST_SAMPLES} samples"), n).into());
    }
    let kind = labeled::check(predictions)?;
    if !metric.accepts(kind) {
        return Err(Error::MetricKind {
            metric: metric.name(),
            expected: metric.kind().unwrap_or(TargetKind::Category),
            found: kind,
        });
    }
    let outputs = outputs_of(kind, &predictions.probabilities);
    let classes = predictions.classes;
    let mut value = |items: &[usize]| {
        let row = |item: &usize| &outputs[item * classes..(item + 1) * classes];
        let logits: Vec<f32> = items.iter().flat_map(row).copied().collect();
        metric.reset();
        metric.update(&Scores {
            logits: &logits,
            classes,
            targets: &predictions.targets.select(items),
        });
        metric.value()
    };
    let all: Vec<usize> = (0..predictions.len()).collect();
    let whole = value(&all);
    let mut resample = Resample::new(all.len(), seed);
    let mut sample = || -> Vec<usize> { resample.draw().collect() };
    let mut values: Vec<f64> = (0..n).map(|_| value(&sample())).collect();
    values.retain(|value| !value.is_nan());
    Ok(Bootstrap {
        metric: metric.name(),
        value: whole,
        samples: values.len(),
        undefined: n - values.len(),
        interval: Interval::of_percentiles(values),
    })
}

/// `accuracy 0.9500 (95 % interval 0.9300 to 0.9700)`.
impl fmt::Display for Bootstrap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:.4}", self.metric, self.value)?;
        match self.interval {
            Some(interval) => write!(f, " (95 % interval {interval})"),
            None => write!(
                f,
                " (no interval: undefined in all {} samples)",
                self.undefined
            ),
        }
    }
}
