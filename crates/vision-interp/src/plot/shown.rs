//! The cells of a confusion matrix that are drawn.

use crate::ConfusionMatrix;
use crate::scores::ratio;

/// The classes to draw, and the values of their cells.
pub(super) struct Shown {
    pub(super) classes: Vec<String>,
    /// NaN in normalized rows without items.
    pub(super) values: Vec<f64>,
}

impl Shown {
    pub(super) fn new(matrix: &ConfusionMatrix, shown: &[usize], normalized: bool) -> Self {
        let totals: Vec<u64> = matrix.rows().map(|row| row.iter().sum()).collect();
        let value = |actual: usize, predicted: usize| {
            let count = matrix.get(actual, predicted).unwrap_or(0);
            match normalized {
                true => ratio(count, totals[actual]),
                false => count as f64,
            }
        };
        let row = |actual: &usize| {
            let actual = *actual;
            shown.iter().map(move |predicted| value(actual, *predicted))
        };
        Self {
            classes: shown
                .iter()
                .map(|class| matrix.classes()[*class].clone())
                .collect(),
            values: shown.iter().flat_map(row).collect(),
        }
    }
}
