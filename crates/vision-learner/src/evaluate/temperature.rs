//! Temperature scaling.

use std::fmt;

use serde::{Deserialize, Serialize};
use vision_base::OptionError;
use vision_data::Targets;

use crate::Result;
use crate::evaluate::log_probabilities::{LogProbabilities, multiplied};
use crate::metrics::calibration_error;
use crate::predict::predictions::Predictions;

/// Bins of the calibration error, as in Guo et al. 2017.
const BINS: usize = 15;
/// The temperatures that an exported model may have.
const LEAST: f64 = 1e-3;
const MOST: f64 = 1e3;
/// Newton's method needs about ten steps, and halving the bracket about sixty.
const STEPS: usize = 200;

/// The number by which outputs are divided before softmax or sigmoid, so that probabilities are as sure as they are right:
/// [`fit_temperature`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Temperature {
    /// The number. Above 1, the model was too sure, and its probabilities become less extreme.
    pub temperature: f64,
    /// Mean of −log p of the actual class, without the temperature.
    pub nll_before: f64,
    /// The same with the temperature: the smallest that there is.
    pub nll_after: f64,
    /// Expected calibration error of 15 bins, without the temperature.
    pub ece_before: f64,
    /// The same with the temperature.
    pub ece_after: f64,
    /// Number of items.
    pub items: usize,
}

/// Fits the temperature that makes the probabilities of these items most likely (Guo et al. 2017,
/// <https://arxiv.org/abs/1706.04599>). Predicted classes stay the same.
///
/// Use predictions for images that the model has not been trained on: those of the validation set. The result goes into
/// [`ExportConfig::with_temperature`](crate::ExportConfig::with_temperature). If items have several classes, each class
/// of an item counts as a question of yes or no, and one temperature holds for all.
///
/// The mean of −log p is a convex function of 1 / temperature. Newton's method finds its minimum in 64 bits, within a
/// bracket of 0.001 to 1000.
///
/// ```
/// use vision_data::Targets;
/// use vision_learner::{ExportConfig, Predictions, fit_temperature};
///
/// // The model says 90 %, and is right for three of four items.
/// let predictions = Predictions {
///     probabilities: [0.9, 0.1].repeat(4),
///     classes: 2,
///     targets: Targets::Category(vec![0, 0, 0, 1]),
///     losses: vec![0.1; 4],
///     indices: (0..4).collect(),
/// };
/// let found = fit_temperature(&predictions)?;
/// // ln(0.9 / 0.1) / T = ln(0.75 / 0.25)
/// assert!((found.temperature - 2.0).abs() < 1e-6);
/// assert!((found.apply(&predictions)?.row(0)[0] - 0.75).abs() < 1e-6);
/// let config = ExportConfig::new().with_temperature(found.temperature);
/// # Ok::<(), vision_learner::Error>(())
/// ```
///
/// # Errors
///
/// [`Error::Option`](crate::Error::Option) without items, labels or whole rows of probabilities, or if the best
/// temperature is not between 0.001 and 1000: if every item is right, or the model is no better than chance. An error for
/// labels that are numbers.
#[doc(alias("temperature_scaling", "calibrate"))]
pub fn fit_temperature(predictions: &Predictions) -> Result<Temperature> {
    let rows = LogProbabilities::of(predictions)?;
    let factor = best_factor(&rows)?;
    let mut error = calibration_error(BINS);
    Ok(Temperature {
        temperature: 1.0 / factor,
        nll_before: nll(&rows, 1.0),
        nll_after: nll(&rows, factor),
        ece_before: rows.score(&mut error, 1.0),
        ece_after: rows.score(&mut error, factor),
        items: predictions.len(),
    })
}

/// Mean of −log p of the actual class, if outputs are multiplied by `factor`.
fn nll(rows: &LogProbabilities, factor: f64) -> f64 {
    let loss = |(row, actual): (&[f64], usize)| multiplied(row, factor).1 - row[actual] * factor;
    rows.rows().map(loss).sum::<f64>() / rows.len() as f64
}

/// First and second derivative of [`nll`] with respect to the factor.
fn derivatives(rows: &LogProbabilities, factor: f64) -> (f64, f64) {
    let (mut first, mut second) = (0.0, 0.0);
    for (row, actual) in rows.rows() {
        let (p, _) = multiplied(row, factor);
        let mean: f64 = p.iter().zip(row).map(|(p, v)| p * v).sum();
        first += mean - row[actual];
        let variance = p.iter().zip(row).map(|(p, v)| p * (v - mean).powi(2));
        second += variance.sum::<f64>();
    }
    (first / rows.len() as f64, second / rows.len() as f64)
}

fn best_factor(rows: &LogProbabilities) -> Result<f64> {
    // Where all classes are equally probable, all temperatures are the same.
    if rows.rows().all(|(row, _)| row.iter().all(|v| *v == row[0])) {
        return Ok(1.0);
    }
    let (mut low, mut high) = (1.0 / MOST, 1.0 / LEAST);
    let beyond = |found: &'static str| {
        let expected = "predictions of which some are wrong, and which are better than chance: the best temperature \
                        must be between 0.001 and 1000";
        Err(OptionError::new("predictions", expected, found).into())
    };
    if derivatives(rows, high).0 <= 0.0 {
        return beyond("predictions whose best temperature is below 0.001: all are right");
    }
    if derivatives(rows, low).0 >= 0.0 {
        return beyond(
            "predictions whose best temperature is above 1000: they say nothing of the labels",
        );
    }
    let mut factor = 1.0;
    for _ in 0..STEPS {
        let (first, second) = derivatives(rows, factor);
        match first > 0.0 {
            true => high = factor,
            false => low = factor,
        }
        let step = factor - first / second;
        // Outside of the bracket, halve it on a logarithmic scale.
        let next = match low <= step && step <= high {
            true => step,
            false => (low * high).sqrt(),
        };
        let done = (next - factor).abs() <= 1e-13 * factor;
        factor = next;
        if done {
            break;
        }
    }
    Ok(factor)
}

impl Temperature {
    /// The predictions with this temperature. Losses become −log p of the actual class; if items have several classes,
    /// the mean of that over the classes.
    ///
    /// # Errors
    ///
    /// As [`fit_temperature`]; [`Error::Option`](crate::Error::Option) if the temperature was set to a number that is not
    /// from 0.001 to 1000.
    pub fn apply(&self, predictions: &Predictions) -> Result<Predictions> {
        if !(LEAST..=MOST).contains(&self.temperature) {
            let expected = "a number from 0.001 to 1000";
            return Err(OptionError::new("temperature", expected, self.temperature).into());
        }
        let rows = LogProbabilities::of(predictions)?;
        let several = matches!(predictions.targets, Targets::MultiCategory(_));
        let factor = 1.0 / self.temperature;
        let mut probabilities = Vec::with_capacity(predictions.probabilities.len());
        let mut losses = Vec::with_capacity(rows.len());
        for (row, actual) in rows.rows() {
            let (p, log_sum) = multiplied(row, factor);
            // Of a question, the probability of yes.
            let shown = if several { &p[1..] } else { &p };
            probabilities.extend(shown.iter().map(|p| *p as f32));
            losses.push(log_sum - row[actual] * factor);
        }
        let per_item = losses.len() / predictions.len();
        let mean = |losses: &[f64]| (losses.iter().sum::<f64>() / per_item as f64) as f32;
        Ok(Predictions {
            probabilities,
            losses: losses.chunks(per_item).map(mean).collect(),
            ..predictions.clone()
        })
    }
}

/// `temperature 1.62 (the model was too sure): on 500 items the loss falls from 0.4120 to 0.3710, and the calibration error
/// goes from 0.0830 to 0.0210`.
impl fmt::Display for Temperature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.temperature {
            t if t > 1.0 => " (the model was too sure)",
            t if t < 1.0 => " (the model was not sure enough)",
            _ => "",
        };
        write!(
            f,
            "temperature {:.4}{what}: on {} items the loss falls from {:.4} to {:.4}, and the calibration error goes from \
             {:.4} to {:.4}",
            self.temperature,
            self.items,
            self.nll_before,
            self.nll_after,
            self.ece_before,
            self.ece_after
        )
    }
}
