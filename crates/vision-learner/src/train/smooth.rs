//! The smoothed training loss.

use serde::{Deserialize, Serialize};

/// Exponential moving average of the loss, corrected for its start at zero (fastai's `SmoothenValue`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Smooth {
    average: f64,
    count: i32,
}

impl Smooth {
    const BETA: f64 = 0.98;

    pub(crate) fn add(&mut self, value: f64) -> f64 {
        self.count = self.count.saturating_add(1);
        self.average = Self::BETA * self.average + (1.0 - Self::BETA) * value;
        self.value()
    }

    /// Whether losses of a fit can have given it.
    pub(crate) fn is_plausible(&self) -> bool {
        self.count >= 0 && self.average.is_finite()
    }

    /// The smoothed value; 0 before the first one.
    pub(crate) fn value(&self) -> f64 {
        match self.count {
            0 => 0.0,
            count => self.average / (1.0 - Self::BETA.powi(count)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // fastai's own check: losses 1, 2, 3 give 1, 1.505051, 2.013468.
    #[test]
    fn the_smoothed_loss_gives_fastais_numbers() {
        let mut smooth = Smooth::default();
        for (loss, expected) in [(1.0, 1.0), (2.0, 1.505_051), (3.0, 2.013_468)] {
            assert!((smooth.add(loss) - expected).abs() < 1e-6);
        }
    }
}
