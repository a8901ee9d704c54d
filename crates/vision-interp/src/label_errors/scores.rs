//! How well a label fits its item.

use crate::label_errors::config::LabelScore;
use crate::label_errors::given::Given;

impl LabelScore {
    /// The score of each item, in 64 bits.
    pub(super) fn of(self, given: &Given<'_>) -> Vec<f64> {
        let score = |row| match self {
            Self::SelfConfidence => given.own(row),
            // Of a single class nothing can be wrong.
            Self::NormalizedMargin => {
                (given.own(row) - given.best_other(row).unwrap_or(0.0) + 1.0) / 2.0
            }
            Self::ConfidenceWeightedEntropy => weighted_entropy(given, row),
        };
        (0..given.len()).map(score).collect()
    }
}

fn weighted_entropy(given: &Given<'_>, row: usize) -> f64 {
    let information = |p: &f32| match f64::from(*p) {
        0.0 => 0.0,
        p => -p * p.ln(),
    };
    let entropy: f64 = given.row(row).iter().map(information).sum();
    let classes = given.classes.max(2) as f64;
    let x = entropy / classes.ln() / given.own(row).max(1e-6);
    if x > 0.0 { x.ln_1p() / x } else { 1.0 }
}
