//! Metrics for numbers (regression).

use vision_data::TargetKind;

use super::{Better, Metric, Scores};

/// A metric of predicted numbers over the whole set: [`mse`], [`rmse`], [`mae`], [`r2_score`],
/// [`explained_variance`], [`msle`], [`rmspe`], [`pearson`].
///
/// All columns of all items are treated as one list, as in fastai.
#[derive(Clone, Debug)]
pub struct RegressionMetric {
    of: Of,
    count: f64,
    squares: f64,
    absolutes: f64,
    logs: f64,
    parts: f64,
    /// Of the targets, of the outputs, and of the differences.
    targets: Spread,
    outputs: Spread,
    differences: Spread,
    /// The sum of the products of the distances of targets and outputs from their means.
    together: f64,
}

/// Mean so far, and the sum of the squared distances from it, by Welford's algorithm, which keeps
/// precision when the mean is large.
#[derive(Clone, Copy, Debug, Default)]
struct Spread {
    mean: f64,
    squares: f64,
}

impl Spread {
    /// Adds the value that makes `count`. Returns its distance from the mean before.
    fn add(&mut self, value: f64, count: f64) -> f64 {
        let before = value - self.mean;
        self.mean += before / count;
        self.squares += before * (value - self.mean);
        before
    }
}

#[derive(Clone, Copy, Debug)]
enum Of {
    Mse,
    Rmse,
    Mae,
    R2,
    ExplainedVariance,
    Msle,
    Rmspe,
    Pearson,
}

/// The mean squared error.
#[doc(alias = "mean_squared_error")]
pub fn mse() -> RegressionMetric {
    RegressionMetric::new(Of::Mse)
}

/// The root mean squared error over the whole set (fastai's class `RMSE`).
#[doc(alias = "root_mean_squared_error")]
pub fn rmse() -> RegressionMetric {
    RegressionMetric::new(Of::Rmse)
}

/// The mean absolute error.
#[doc(alias = "mean_absolute_error")]
pub fn mae() -> RegressionMetric {
    RegressionMetric::new(Of::Mae)
}

/// The coefficient of determination, `1 − Σ(t − p)² / Σ(t − t̄)²`, over the whole set (fastai's class
/// `R2Score`). 1 is perfect; 0 is no better than predicting the mean. Constant targets give −∞.
pub fn r2_score() -> RegressionMetric {
    RegressionMetric::new(Of::R2)
}

/// The explained variance, `1 − Var(t − p) / Var(t)`. Unlike [`r2_score`] it forgives a constant offset.
#[doc(alias = "ExplainedVariance")]
pub fn explained_variance() -> RegressionMetric {
    RegressionMetric::new(Of::ExplainedVariance)
}

/// The mean squared logarithmic error, of `ln(1 + t) − ln(1 + p)`. NaN if a number is below −1.
#[doc(alias("mean_squared_logarithmic_error", "mean_squared_log_error"))]
pub fn msle() -> RegressionMetric {
    RegressionMetric::new(Of::Msle)
}

/// The root mean squared error in parts of the target, of `(t − p) / t`. Infinite if a target is 0.
pub fn rmspe() -> RegressionMetric {
    RegressionMetric::new(Of::Rmspe)
}

/// Pearson's correlation of targets and predictions, from −1 to 1. NaN if one of them is constant.
#[doc(alias = "PearsonCorrCoef")]
pub fn pearson() -> RegressionMetric {
    RegressionMetric::new(Of::Pearson)
}

impl RegressionMetric {
    fn new(of: Of) -> Self {
        Self {
            of,
            count: 0.0,
            squares: 0.0,
            absolutes: 0.0,
            logs: 0.0,
            parts: 0.0,
            targets: Spread::default(),
            outputs: Spread::default(),
            differences: Spread::default(),
            together: 0.0,
        }
    }
}

impl Metric for RegressionMetric {
    fn name(&self) -> String {
        let name = match self.of {
            Of::Mse => "mse",
            Of::Rmse => "rmse",
            Of::Mae => "mae",
            Of::R2 => "r2_score",
            Of::ExplainedVariance => "explained_variance",
            Of::Msle => "msle",
            Of::Rmspe => "rmspe",
            Of::Pearson => "pearson",
        };
        name.to_owned()
    }

    fn kind(&self) -> Option<TargetKind> {
        Some(TargetKind::Float)
    }

    fn better(&self) -> Better {
        match self.of {
            Of::Mse | Of::Rmse | Of::Mae | Of::Msle | Of::Rmspe => Better::Lower,
            Of::R2 | Of::ExplainedVariance | Of::Pearson => Better::Higher,
        }
    }

    fn reset(&mut self) {
        *self = Self::new(self.of);
    }

    fn update(&mut self, batch: &Scores<'_>) {
        for (output, target) in batch.logits.iter().zip(batch.targets.rows()) {
            let (output, target) = (f64::from(*output), f64::from(target));
            let difference = target - output;
            self.count += 1.0;
            self.squares += difference * difference;
            self.absolutes += difference.abs();
            self.logs += (target.ln_1p() - output.ln_1p()).powi(2);
            self.parts += (difference / target).powi(2);
            self.differences.add(difference, self.count);
            let before = self.targets.add(target, self.count);
            self.outputs.add(output, self.count);
            self.together += before * (output - self.outputs.mean);
        }
    }

    fn value(&self) -> f64 {
        match self.of {
            Of::Mse => self.squares / self.count,
            Of::Rmse => (self.squares / self.count).sqrt(),
            Of::Mae => self.absolutes / self.count,
            Of::R2 => 1.0 - self.squares / self.targets.squares,
            Of::ExplainedVariance => 1.0 - self.differences.squares / self.targets.squares,
            Of::Msle => self.logs / self.count,
            Of::Rmspe => (self.parts / self.count).sqrt(),
            Of::Pearson => self.together / (self.targets.squares * self.outputs.squares).sqrt(),
        }
    }
}

#[cfg(test)]
mod tests {
    use vision_data::Targets;

    use super::*;

    fn value(mut metric: RegressionMetric, outputs: &[f32], targets: &[f32]) -> f64 {
        metric.reset();
        // In two batches of different sizes.
        let cut = outputs.len() / 3;
        for (logits, values) in [
            (&outputs[..cut], &targets[..cut]),
            (&outputs[cut..], &targets[cut..]),
        ] {
            metric.update(&Scores {
                logits,
                classes: 1,
                targets: &Targets::Float {
                    columns: 1,
                    values: values.to_vec(),
                },
            });
        }
        metric.value()
    }

    fn range(from: i16, len: i16) -> Vec<f32> {
        (from..from + len).map(f32::from).collect()
    }

    // Values for shifted ranges from fastai v1's tests/test_metrics.py.
    #[test]
    fn the_metrics_of_numbers_give_fastais_values() {
        let targets = range(1, 10);
        let by = |shift: i16| range(1 + shift, 10);
        for (metric, shift, expected) in [
            (mae(), 1, 1.0),
            (mae(), -1, 1.0),
            (mae(), 0, 0.0),
            (mse(), 2, 4.0),
            (mse(), -2, 4.0),
            (mse(), 0, 0.0),
            (rmse(), 2, 2.0),
            (rmse(), -2, 2.0),
            (rmse(), 0, 0.0),
            (r2_score(), 0, 1.0),
        ] {
            let found = value(metric, &by(shift), &targets);
            assert!((found - expected).abs() < 1e-12, "{shift}: {found}");
        }
        // Σ(t − 6)² = 85 and Σ(t − 5.5)² = 82.5.
        let found = value(r2_score(), &[6.0; 10], &targets);
        assert!((found + 0.0303).abs() < 1e-4, "{found}");
        let found = value(r2_score(), &targets, &[3.0; 10]);
        assert_eq!(found, f64::NEG_INFINITY);
    }

    // Σ(t − p)² = 4 · 0.25, Σ(t − t̄)² = 4 · 1.25, far from 0.
    #[test]
    fn the_coefficient_of_determination_keeps_its_digits_far_from_zero() {
        let targets: Vec<f32> = range(0, 4).iter().map(|t| t + 1_000_000.0).collect();
        let outputs: Vec<f32> = targets.iter().map(|t| t + 0.5).collect();
        let found = value(r2_score(), &outputs, &targets);
        assert!((found - (1.0 - 1.0 / 5.0)).abs() < 1e-9, "{found}");
    }
}
