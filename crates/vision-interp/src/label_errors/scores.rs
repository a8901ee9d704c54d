//! How well a label fits its item.

use crate::label_errors::config::LabelScore;
use crate::label_errors::given::Given;
use crate::label_errors::rounding::sum;

impl LabelScore {
    /// The score of each item, in 64 bits.
    pub(super) fn of(self, given: &Given<'_>) -> Vec<f64> {
        let mut terms = Vec::new();
        let score = |row| match self {
            Self::SelfConfidence => given.own(row),
            // Of a single class nothing can be wrong.
            Self::NormalizedMargin => {
                (given.own(row) - given.best_other(row).unwrap_or(0.0) + 1.0) / 2.0
            }
            Self::ConfidenceWeightedEntropy => weighted_entropy(given, row, &mut terms),
        };
        (0..given.len()).map(score).collect()
    }
}

/// `terms` is room for one number per class.
fn weighted_entropy(given: &Given<'_>, row: usize, terms: &mut Vec<f64>) -> f64 {
    let term = |p: &f32| match f64::from(*p) {
        0.0 => 0.0,
        p => p * p.ln(),
    };
    terms.clear();
    terms.extend(given.row(row).iter().map(term));
    let classes = given.classes.max(2) as f64;
    let x = -sum(terms) / classes.ln() / given.own(row).max(1e-6);
    if x > 0.0 { x.ln_1p() / x } else { 1.0 }
}
