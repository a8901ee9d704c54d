//! How often predictions of a confidence are right.

use std::fmt::{self, Write as _};

use serde::Serialize;
use vision_base::OptionError;

use crate::Result;
use crate::evaluate::interval::Interval;
use crate::evaluate::log_probabilities::LogProbabilities;
use crate::metrics::{brier_score, calibration_error};
use crate::predict::predictions::Predictions;

/// Largest number of bins.
const MOST_BINS: usize = 10_000;

/// Confidence against accuracy, in bins: [`reliability`].
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Reliability {
    /// The bins, from 0 to 1.
    pub bins: Vec<ReliabilityBin>,
    /// The expected calibration error: the mean distance of confidence and accuracy, each bin with the weight of its
    /// items. The value of [`calibration_error`](crate::calibration_error()).
    pub calibration_error: f64,
    /// The largest distance in a bin.
    pub largest_error: f64,
    /// The value of [`brier_score`](crate::brier_score()).
    pub brier_score: f64,
    /// Number of predictions: of items, or if items have several classes, of items times classes.
    pub predictions: u64,
}

/// The predictions whose confidence is above `low` and up to `high`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ReliabilityBin {
    /// The lower end, which does not belong to it.
    pub low: f64,
    /// The upper end.
    pub high: f64,
    /// Number of predictions.
    pub predictions: u64,
    /// Their mean confidence; `None` without predictions.
    pub confidence: Option<f64>,
    /// The fraction of them that is right; `None` without predictions.
    pub accuracy: Option<f64>,
    /// The 95 % interval of the accuracy: [`Interval::wilson`].
    pub interval: Option<Interval>,
}

/// The data of a reliability diagram: in each of `bins` equal intervals of confidence, how often predictions are right
/// (Guo et al. 2017, <https://arxiv.org/abs/1706.04599>). 15 bins are usual.
///
/// The confidence is the probability of the predicted class. If items have several classes, each class of an item is a
/// question of its own, and the confidence is the probability of the more probable answer, yes or no.
///
/// `vision_interp::plot_reliability` draws it.
///
/// ```
/// use vision_data::Targets;
/// use vision_learner::{Predictions, reliability};
///
/// // The model says 90 %, and is right for three of four items.
/// let predictions = Predictions {
///     probabilities: [0.9, 0.1].repeat(4),
///     classes: 2,
///     targets: Targets::Category(vec![0, 0, 0, 1]),
///     losses: vec![0.1; 4],
///     indices: (0..4).collect(),
/// };
/// let found = reliability(&predictions, 15)?;
/// assert_eq!(found.bins[13].accuracy, Some(0.75));
/// assert!((found.calibration_error - 0.15).abs() < 1e-6);
/// # Ok::<(), vision_learner::Error>(())
/// ```
///
/// # Errors
///
/// [`Error::Option`](crate::Error::Option) if `bins` is not from 1 to 10,000, or without items, labels or whole rows of
/// probabilities. An error for labels that are numbers.
#[doc(alias("calibration_curve", "reliability_diagram"))]
pub fn reliability(predictions: &Predictions, bins: usize) -> Result<Reliability> {
    if !(1..=MOST_BINS).contains(&bins) {
        let expected = format!("1 to {MOST_BINS} bins");
        return Err(OptionError::new("bins", expected, bins).into());
    }
    let rows = LogProbabilities::of(predictions)?;
    let mut error = calibration_error(bins);
    let calibration_error = rows.score(&mut error, 1.0);
    let bin = |(i, [items, sum, right]): (usize, [f64; 3])| {
        let some = |value: f64| (items > 0.0).then_some(value / items);
        ReliabilityBin {
            low: i as f64 / bins as f64,
            high: (i + 1) as f64 / bins as f64,
            predictions: items as u64,
            confidence: some(sum),
            accuracy: some(right),
            interval: Interval::wilson(right as u64, items as u64),
        }
    };
    let bins: Vec<ReliabilityBin> = error.bins().enumerate().map(bin).collect();
    let distances = bins
        .iter()
        .filter_map(|bin| Some((bin.confidence? - bin.accuracy?).abs()));
    Ok(Reliability {
        largest_error: distances.fold(0.0, f64::max),
        calibration_error,
        brier_score: rows.score(&mut brier_score(), 1.0),
        predictions: rows.len() as u64,
        bins,
    })
}

impl Reliability {
    /// The bins as CSV: `low,high,predictions,confidence,accuracy,accuracy_low,accuracy_high`, with empty fields in bins
    /// without predictions.
    pub fn to_csv(&self) -> String {
        let mut table =
            String::from("low,high,predictions,confidence,accuracy,accuracy_low,accuracy_high\n");
        for bin in &self.bins {
            let _ = write!(table, "{:.6},{:.6},{}", bin.low, bin.high, bin.predictions);
            let (low, high) = (bin.interval.map(|i| i.low), bin.interval.map(|i| i.high));
            for number in [bin.confidence, bin.accuracy, low, high] {
                match number {
                    Some(number) => _ = write!(table, ",{number:.6}"),
                    None => table.push(','),
                }
            }
            table.push('\n');
        }
        table
    }
}

/// A line per bin with predictions, and the calibration error.
impl fmt::Display for Reliability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "predictions  confidence  accuracy  95 % interval")?;
        for bin in &self.bins {
            if let (Some(confidence), Some(accuracy), Some(interval)) =
                (bin.confidence, bin.accuracy, bin.interval)
            {
                let number = bin.predictions;
                writeln!(
                    f,
                    "{number:>11}  {confidence:>10.4}  {accuracy:>8.4}  {interval}"
                )?;
            }
        }
        write!(
            f,
            "calibration error {:.4}, at most {:.4} in a bin; Brier score {:.4}",
            self.calibration_error, self.largest_error, self.brier_score
        )
    }
}
