//! Metrics for numbers (regression).

use vision_data::TargetKind;

use super::{Metric, Scores};

/// A metric of predicted numbers over the whole set: [`mse`], [`rmse`], [`mae`], [`r2_score`].
///
/// All columns of all items are treated as one list, as in fastai.
#[derive(Clone, Debug)]
pub struct RegressionMetric {
    of: Of,
    count: f64,
    squares: f64,
    absolutes: f64,
    /// Mean of the targets so far, and the sum of their squared distances from it.
    mean: f64,
    spread: f64,
}

#[derive(Clone, Copy, Debug)]
enum Of {
    Mse,
    Rmse,
    Mae,
    R2,
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

impl RegressionMetric {
    fn new(of: Of) -> Self {
        Self {
            of,
            count: 0.0,
            squares: 0.0,
            absolutes: 0.0,
            mean: 0.0,
            spread: 0.0,
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
        };
        name.to_owned()
    }

    fn kind(&self) -> Option<TargetKind> {
        Some(TargetKind::Float)
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
            // Welford's algorithm, which keeps precision when the mean is large.
            let before = target - self.mean;
            self.mean += before / self.count;
            self.spread += before * (target - self.mean);
        }
    }

    fn value(&self) -> f64 {
        match self.of {
            Of::Mse => self.squares / self.count,
            Of::Rmse => (self.squares / self.count).sqrt(),
            Of::Mae => self.absolutes / self.count,
            Of::R2 => 1.0 - self.squares / self.spread,
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
