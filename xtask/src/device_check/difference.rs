//! How far numbers are from those that are expected.

use burn::tensor::{DType, Tensor};
use serde::Serialize;

/// One in so many values may be anything: where a function has a kink, rounding decides on which side a value is.
const KINKS: usize = 100_000;

/// A difference and what is allowed.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Difference {
    /// Relative. Infinite if something is missing or not finite.
    pub(super) error: f64,
    pub(super) tolerance: f64,
    /// Where it is the largest, or what else there is to say.
    pub(super) note: String,
}

impl Difference {
    pub(super) fn new(tolerance: f64) -> Self {
        Self {
            error: 0.0,
            tolerance,
            note: String::new(),
        }
    }

    pub(super) fn is_within_tolerance(&self) -> bool {
        self.error <= self.tolerance
    }

    /// Keeps the largest error, and where it is.
    pub(super) fn note(&mut self, at: &str, error: f64) {
        let error = if error.is_nan() { f64::INFINITY } else { error };
        if error > self.error {
            (self.error, self.note) = (error, at.to_owned());
        }
    }
}

/// The largest difference relative to the largest expected value, but for kinks.
pub(super) fn largest(found: &[f64], expected: &[f64]) -> f64 {
    if found.len() != expected.len() || !found.iter().all(|value| value.is_finite()) {
        return f64::INFINITY;
    }
    let scale = expected.iter().fold(0.0, |most: f64, v| most.max(v.abs()));
    let pairs = found.iter().zip(expected);
    let mut all: Vec<f64> = pairs.map(|(a, b)| (a - b).abs()).collect();
    all.sort_by(f64::total_cmp);
    let kinks = all.len() / KINKS;
    match all.iter().rev().nth(kinks) {
        None | Some(0.0) => 0.0,
        Some(difference) => difference / scale,
    }
}

/// The norm of the difference, relative to `scale`.
pub(super) fn norm(found: &[f64], expected: &[f64], scale: f64) -> f64 {
    if found.len() != expected.len() {
        return f64::INFINITY;
    }
    let pairs = found.iter().zip(expected);
    let difference = pairs.map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt();
    match difference {
        0.0 => 0.0,
        difference => difference / scale,
    }
}

/// The values of a tensor of any precision.
#[expect(clippy::expect_used, reason = "floats convert to f64")]
pub(super) fn wide<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
    let data = tensor.into_data().convert_dtype(DType::F64);
    data.try_to_vec().expect("numbers")
}

/// The Euclidean norm.
pub(super) fn length(values: &[f64]) -> f64 {
    values.iter().map(|v| v * v).sum::<f64>().sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_found() {
        assert_eq!(largest(&[1.0, 2.0], &[1.0, 2.0]), 0.0);
        assert_eq!(largest(&[1.0, 3.0], &[1.0, 2.0]), 0.5);
        assert_eq!(largest(&[1.0], &[1.0, 2.0]), f64::INFINITY);
        assert_eq!(largest(&[f64::NAN, 2.0], &[1.0, 2.0]), f64::INFINITY);
        assert_eq!(largest(&[1e-9], &[0.0]), f64::INFINITY);
        assert_eq!(norm(&[3.0, 4.0], &[0.0, 0.0], 10.0), 0.5);
        assert!(norm(&[f64::NAN], &[1.0], 1.0).is_nan());
        let mut found = Difference::new(1e-3);
        found.note("a", 1e-4);
        assert!(found.is_within_tolerance());
        found.note("b", f64::NAN);
        assert!(!found.is_within_tolerance());
        assert_eq!(found.note, "b");
    }

    #[test]
    fn one_kink_in_a_large_tensor_is_no_error_and_eleven_are() {
        let expected = vec![1.0; 10 * KINKS];
        let with = |wrong: usize| {
            let mut found = expected.clone();
            found
                .iter_mut()
                .step_by(7)
                .take(wrong)
                .for_each(|v| *v = 9.0);
            largest(&found, &expected)
        };
        assert_eq!(with(10), 0.0);
        assert_eq!(with(11), 8.0);
    }
}
