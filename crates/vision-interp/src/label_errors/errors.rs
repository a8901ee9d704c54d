//! The result of the search for label errors.

use std::collections::BTreeMap;

use serde::Serialize;
use vision_learner::Predictions;

use crate::Result;
use crate::label_errors::config::{LabelErrorConfig, LabelFilter, LabelScore};
use crate::label_errors::given::Given;
use crate::label_errors::joint::ConfidentJoint;

/// Items whose label is probably wrong, found by confident learning: the model, which was not trained on these items, is
/// sure of another class.
///
/// Made by [`ClassificationInterpretation::label_errors`](crate::ClassificationInterpretation::label_errors) for a
/// validation set, or by [`from_cross_validation`](Self::from_cross_validation) for all items. The method is that of
/// Northcutt, Jiang and Chuang 2021 (<https://arxiv.org/abs/1911.00068>), and the numbers are those of cleanlab 2.9,
/// computed in 64 bits. Of equal values the first item comes first.
///
/// `Display` prints two tables: pairs of classes, and the first items. For JSON, it implements serde's `Serialize`.
#[doc(alias("find_label_issues", "ImageCleaner", "DatasetFormatter"))]
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct LabelErrors {
    /// The items, the worst first.
    pub items: Vec<SuspectItem>,
    /// The names of the classes.
    pub classes: Vec<String>,
    /// The estimated share of wrong labels among all items: the part of the calibrated joint beside its diagonal.
    pub noise_rate: f64,
    /// How often items of a class have the label of another one.
    pub joint: ConfidentJoint,
    /// Which labels count as wrong.
    pub filter: LabelFilter,
    /// The kind of the scores.
    pub score: LabelScore,
    /// The score of every item, in the order of the predictions, from 0 (probably wrong) to 1.
    pub scores: Vec<f64>,
}

/// An item whose label is probably wrong.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct SuspectItem {
    /// Position of the item in its data set.
    pub item: usize,
    /// The file of the item, relative to the root of the data, if it is known.
    pub name: Option<String>,
    /// Its label.
    pub given: String,
    /// The most probable class.
    pub suggested: String,
    /// How well the label fits, from 0 to 1.
    pub score: f64,
    /// Probability of the label.
    pub given_probability: f32,
    /// Probability of the suggested class.
    pub suggested_probability: f32,
}

/// A pair of classes of which one has the label of the other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ErrorPair {
    /// The label of the items.
    pub given: String,
    /// Their most probable class.
    pub suggested: String,
    /// The number of such items among those found.
    pub count: usize,
    /// The number of such items in the calibrated joint.
    pub estimated: u64,
}

impl LabelErrors {
    /// Finds the items whose label is probably wrong among any predictions. The model must not have been trained on
    /// these items.
    ///
    /// ```
    /// use vision_data::Targets;
    /// use vision_interp::{LabelErrorConfig, LabelErrors};
    /// use vision_learner::Predictions;
    ///
    /// # fn main() -> vision_interp::Result<()> {
    /// let predictions = Predictions {
    ///     probabilities: vec![0.9, 0.1, 0.8, 0.2, 0.95, 0.05, 0.1, 0.9, 0.2, 0.8, 0.97, 0.03],
    ///     classes: 2,
    ///     targets: Targets::Category(vec![0, 0, 0, 1, 1, 1]),
    ///     losses: vec![0.0; 6],
    ///     indices: (0..6).collect(),
    /// };
    /// let classes = ["cat".to_owned(), "dog".to_owned()];
    /// let found = LabelErrors::from_predictions(&classes, &predictions, &LabelErrorConfig::new())?;
    /// assert_eq!(found.items.len(), 1);
    /// assert_eq!((found.items[0].item, found.items[0].suggested.as_str()), (5, "cat"));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Option`](crate::Error::Option) if there is no item, or with the item for a value that is no probability;
    /// [`Error::Lengths`](crate::Error::Lengths) or [`Error::UnknownClass`](crate::Error::UnknownClass) if the arguments
    /// do not fit together; [`Error::Data`](crate::Error::Data) if the items do not have one class each.
    pub fn from_predictions(
        classes: &[String],
        predictions: &Predictions,
        config: &LabelErrorConfig,
    ) -> Result<Self> {
        Self::named(classes, predictions, config, &|_| None)
    }

    /// Like [`from_predictions`](Self::from_predictions), with the name of the item in a row.
    pub(super) fn named(
        classes: &[String],
        predictions: &Predictions,
        config: &LabelErrorConfig,
        name: &dyn Fn(usize) -> Option<String>,
    ) -> Result<Self> {
        let given = Given::new(classes, predictions, name)?;
        let joint = ConfidentJoint::new(&given);
        let scores = config.score.of(&given);
        let mut wrong = config.filter.wrong(&given, &joint);
        wrong.sort_by(|a, b| scores[*a].total_cmp(&scores[*b]));
        let item = |row: usize| {
            let (label, suggested) = (given.labels[row], given.most_probable(row));
            SuspectItem {
                item: predictions.indices[row],
                name: name(row),
                given: classes[label].clone(),
                suggested: classes[suggested].clone(),
                score: scores[row],
                given_probability: given.row(row)[label],
                suggested_probability: given.row(row)[suggested],
            }
        };
        Ok(Self {
            items: wrong.into_iter().map(item).collect(),
            classes: classes.to_vec(),
            noise_rate: joint.noise_rate(),
            joint,
            filter: config.filter,
            score: config.score,
            scores,
        })
    }

    /// The pairs of label and suggested class of the items, the most frequent first; equal ones in the order of the
    /// classes.
    pub fn pairs(&self) -> Vec<ErrorPair> {
        let positions = self.classes.iter().map(String::as_str).zip(0..);
        let positions: BTreeMap<&str, usize> = positions.collect();
        let mut counts: BTreeMap<(usize, usize), usize> = BTreeMap::new();
        for item in &self.items {
            let pair = [&item.given, &item.suggested].map(|name| positions.get(name.as_str()));
            if let [Some(given), Some(suggested)] = pair {
                *counts.entry((*given, *suggested)).or_default() += 1;
            }
        }
        let pair = |((given, suggested), count): ((usize, usize), usize)| ErrorPair {
            given: self.classes[given].clone(),
            suggested: self.classes[suggested].clone(),
            count,
            estimated: self.joint.calibrated[given][suggested],
        };
        let mut pairs: Vec<ErrorPair> = counts.into_iter().map(pair).collect();
        pairs.sort_by_key(|pair| std::cmp::Reverse(pair.count));
        pairs
    }
}
