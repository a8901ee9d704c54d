//! Predictions as logarithms of probabilities, in 64 bits.

use vision_base::OptionError;
use vision_data::{LabelError, TargetKind, Targets};

use crate::evaluate::labeled;
use crate::metrics::{Metric, Scores};
use crate::predict::predictions::Predictions;
use crate::{Error, Result};

/// The logarithms of the probabilities of each item, and its class. If items have several classes, each of an item's
/// classes is a question of its own, with the answers no (0) and yes (1).
pub(super) struct LogProbabilities {
    /// Row-major `[rows, classes]`.
    values: Vec<f64>,
    classes: usize,
    actual: Vec<u32>,
}

impl LogProbabilities {
    /// Checks the predictions. A probability of 0 counts as the smallest positive number, and one of 1 of several
    /// classes as the largest below it.
    pub(super) fn of(predictions: &Predictions) -> Result<Self> {
        let kind = labeled::check(predictions)?;
        let all = &predictions.probabilities;
        if let Some(found) = all.iter().find(|p| !(0.0..=1.0).contains(*p)) {
            return Err(OptionError::new("predictions", "probabilities from 0 to 1", found).into());
        }
        let log = |p: &f32| f64::from(p.max(f32::MIN_POSITIVE)).ln();
        match &predictions.targets {
            Targets::Category(actual) => {
                let classes = predictions.classes;
                if let Some(found) = actual.iter().find(|class| **class as usize >= classes) {
                    let expected = format!("labels below the number of classes, {classes}");
                    return Err(OptionError::new("predictions", expected, found).into());
                }
                Ok(Self {
                    values: all.iter().map(log).collect(),
                    classes,
                    actual: actual.clone(),
                })
            }
            targets @ Targets::MultiCategory(labels) => {
                if labels.classes() != predictions.classes {
                    let expected = format!("labels of {} classes", predictions.classes);
                    return Err(OptionError::new("predictions", expected, labels.classes()).into());
                }
                let pair = |p: &f32| {
                    let p = p.clamp(f32::MIN_POSITIVE, 1.0 - f32::EPSILON / 2.0);
                    [(-f64::from(p)).ln_1p(), f64::from(p).ln()]
                };
                let is_of = targets.rows();
                Ok(Self {
                    values: all.iter().flat_map(pair).collect(),
                    classes: 2,
                    actual: is_of.iter().map(|is| u32::from(*is > 0.5)).collect(),
                })
            }
            _ => {
                let expected = TargetKind::Category;
                let error = LabelError::WrongKind {
                    expected,
                    found: kind,
                };
                Err(Error::Data(error.into()))
            }
        }
    }

    /// The rows, each with its class.
    pub(super) fn rows(&self) -> impl Iterator<Item = (&[f64], usize)> {
        let actual = self.actual.iter().map(|class| *class as usize);
        self.values.chunks(self.classes.max(1)).zip(actual)
    }

    pub(super) fn len(&self) -> usize {
        self.actual.len()
    }

    /// The value of a metric after all outputs are multiplied by `factor`.
    pub(super) fn score(&self, metric: &mut impl Metric, factor: f64) -> f64 {
        let logits: Vec<f32> = self.values.iter().map(|v| (v * factor) as f32).collect();
        metric.reset();
        metric.update(&Scores {
            logits: &logits,
            classes: self.classes,
            targets: &Targets::Category(self.actual.clone()),
        });
        metric.value()
    }
}

/// The probabilities of a row whose outputs are multiplied by `factor`, and the logarithm of the sum by which they are
/// divided.
pub(super) fn multiplied(row: &[f64], factor: f64) -> (Vec<f64>, f64) {
    let most = row.iter().copied().fold(f64::NEG_INFINITY, f64::max) * factor;
    let powers: Vec<f64> = row.iter().map(|v| (v * factor - most).exp()).collect();
    let sum: f64 = powers.iter().sum();
    (powers.iter().map(|p| p / sum).collect(), sum.ln() + most)
}
