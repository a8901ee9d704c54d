//! Settings of the search for label errors.

use serde::Serialize;

/// Which labels count as wrong. The names are cleanlab's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum LabelFilter {
    /// For each pair of classes as many items as the calibrated joint says: those whose suggested class is most probable
    /// compared with the given one.
    #[default]
    PruneByNoiseRate,
    /// For each class as many items as the calibrated joint says: those whose given class is least probable.
    PruneByClass,
    /// What both of the above find: fewer labels, with more certainty.
    Both,
    /// The items that the confident joint counts beside its diagonal.
    ConfidentLearning,
}

/// How well a label fits its item, from 0 (probably wrong) to 1. The names are cleanlab's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum LabelScore {
    /// The probability of the given class. Also finds images that are of no class.
    #[default]
    SelfConfidence,
    /// (p + 1 − q) / 2, for the probability p of the given class and the largest probability q of another one. Finds
    /// images that another class fits better.
    NormalizedMargin,
    /// ln(1 + x) / x, for x = H / p: the entropy H of the probabilities, divided by the logarithm of the number of
    /// classes, and the probability p of the given class (at least 10⁻⁶).
    ///
    /// For x = 0 that is 1. cleanlab gives 0 there, since it limits the divisor to at least 10⁻⁶, so that a label of
    /// which the model is certain would be the first to be checked.
    ConfidenceWeightedEntropy,
}

/// Settings of [`ClassificationInterpretation::label_errors_with`](crate::ClassificationInterpretation::label_errors_with)
/// and [`LabelErrors`](crate::LabelErrors).
///
/// ```
/// use vision_interp::{LabelErrorConfig, LabelFilter, LabelScore};
///
/// let config = LabelErrorConfig::new()
///     .with_filter(LabelFilter::Both)
///     .with_score(LabelScore::NormalizedMargin);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct LabelErrorConfig {
    pub(crate) filter: LabelFilter,
    pub(crate) score: LabelScore,
}

impl LabelErrorConfig {
    /// cleanlab's defaults: by the noise rate of each pair of classes, ranked by self-confidence.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets which labels count as wrong.
    #[doc(alias = "filter_by")]
    pub fn with_filter(mut self, filter: LabelFilter) -> Self {
        self.filter = filter;
        self
    }

    /// Sets the score by which items are ranked.
    #[doc(alias = "return_indices_ranked_by")]
    pub fn with_score(mut self, score: LabelScore) -> Self {
        self.score = score;
        self
    }
}
