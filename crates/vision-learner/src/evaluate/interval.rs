//! Intervals of a number.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The 97.5th percentile of the normal distribution.
const Z: f64 = 1.959_963_984_540_054;

/// The bounds of a 95 % interval. `Display` prints `0.93 to 0.97`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// The lower bound.
    pub low: f64,
    /// The upper bound.
    pub high: f64,
}

impl Interval {
    /// The 2.5th and the 97.5th percentile, interpolated as numpy does; `None` without values. NaN must be left out.
    pub(crate) fn of_percentiles(mut values: Vec<f64>) -> Option<Self> {
        values.sort_by(f64::total_cmp);
        let last = values.len().checked_sub(1)?;
        let at = |share: f64| {
            let place = share * last as f64;
            let (below, part) = (place.floor() as usize, place.fract());
            let (low, high) = (values[below], values[(below + 1).min(last)]);
            low + (high - low) * part
        };
        Some(Self {
            low: at(0.025),
            high: at(0.975),
        })
    }

    /// The 95 % interval of a fraction of which `part` of `whole` were seen, such as the recall of a class: Wilson's score
    /// interval (Wilson 1927), which also holds for few items and for fractions of 0 and 1. `None` if `whole` is 0 or
    /// smaller than `part`.
    ///
    /// ```
    /// use vision_learner::Interval;
    /// let interval = Interval::wilson(9, 10).unwrap();
    /// assert_eq!(format!("{interval:.3}"), "0.596 to 0.982");
    /// assert_eq!(Interval::wilson(0, 0), None);
    /// ```
    #[doc(alias = "proportion_confint")]
    pub fn wilson(part: u64, whole: u64) -> Option<Self> {
        if whole == 0 || part > whole {
            return None;
        }
        let (n, p) = (whole as f64, part as f64 / whole as f64);
        let around = 1.0 + Z * Z / n;
        let middle = (p + Z * Z / (2.0 * n)) / around;
        let reach = Z / around * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
        // Where all or none were seen, the bound is exactly 0 or 1, but for rounding.
        Some(Self {
            low: if part == 0 {
                0.0
            } else {
                (middle - reach).max(0.0)
            },
            high: if part == whole {
                1.0
            } else {
                (middle + reach).min(1.0)
            },
        })
    }

    /// Whether a number lies between the bounds, or is one of them.
    pub fn contains(&self, value: f64) -> bool {
        self.low <= value && value <= self.high
    }
}

/// The number of decimals of a formatter applies to both bounds; default: 4.
impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let decimals = f.precision().unwrap_or(4);
        write!(f, "{:.decimals$} to {:.decimals$}", self.low, self.high)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // numpy.percentile([0, 1, .., 9], [2.5, 97.5]) is [0.225, 8.775].
    #[test]
    fn percentiles_are_interpolated_as_numpy_does() {
        let found = Interval::of_percentiles((0..10).rev().map(f64::from).collect()).unwrap();
        assert!(
            (found.low - 0.225).abs() < 1e-12 && (found.high - 8.775).abs() < 1e-12,
            "{found:?}"
        );
        assert_eq!(
            Interval::of_percentiles(vec![3.0]),
            Some(Interval {
                low: 3.0,
                high: 3.0
            })
        );
        assert_eq!(Interval::of_percentiles(Vec::new()), None);
        assert_eq!(
            format!("{found} and {found:.1}"),
            "0.2250 to 8.7750 and 0.2 to 8.8"
        );
    }
}
