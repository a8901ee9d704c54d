//! Labels with the probabilities that a model gives, checked.

use vision_base::OptionError;
use vision_base::message::{quoted, shown};
use vision_learner::Predictions;

use crate::{Error, Result};

/// The given class of each item, and the probabilities of all classes, row-major.
pub(crate) struct Given<'a> {
    pub(crate) classes: usize,
    pub(crate) labels: Vec<usize>,
    probabilities: &'a [f32],
}

impl<'a> Given<'a> {
    /// Checks that there are items with one class each, and that all values are probabilities. `name` gives the name of
    /// the item in a row, for messages.
    pub(crate) fn new(
        names: &[String],
        predictions: &'a Predictions,
        name: &dyn Fn(usize) -> Option<String>,
    ) -> Result<Self> {
        let Predictions {
            probabilities,
            classes,
            ..
        } = predictions;
        let classes = *classes;
        if predictions.targets.kind().is_none() {
            return Err(Error::Unlabeled);
        }
        let labels = predictions.targets.categories()?;
        let lengths = [
            ("the list of classes", classes, names.len()),
            (
                "probabilities",
                labels.len().saturating_mul(classes),
                probabilities.len(),
            ),
            ("indices", labels.len(), predictions.indices.len()),
        ];
        for (field, expected, found) in lengths {
            if expected != found {
                return Err(Error::Lengths {
                    field,
                    expected,
                    found,
                });
            }
        }
        if labels.is_empty() {
            return Err(OptionError::new("predictions", "at least one item", "none").into());
        }
        if let Some(&found) = labels.iter().find(|label| **label >= classes) {
            return Err(Error::UnknownClass {
                role: "actual",
                found,
                classes,
            });
        }
        if let Some(at) = probabilities.iter().position(|p| !(0.0..=1.0).contains(p)) {
            let (row, class) = (at / classes, at % classes);
            let item = predictions.indices[row];
            let item = name(row).map_or_else(|| format!("item {item}"), shown);
            let found = format!(
                "{} of {item}, class {}",
                probabilities[at],
                quoted(&names[class])
            );
            return Err(OptionError::new("predictions", "probabilities from 0 to 1", found).into());
        }
        Ok(Self {
            classes,
            labels,
            probabilities,
        })
    }

    pub(crate) fn len(&self) -> usize {
        self.labels.len()
    }

    pub(crate) fn row(&self, row: usize) -> &[f32] {
        &self.probabilities[row * self.classes..][..self.classes]
    }

    /// The probability of a class, in 64 bits.
    pub(crate) fn probability(&self, row: usize, class: usize) -> f64 {
        f64::from(self.probabilities[row * self.classes + class])
    }

    /// The probability of the given class.
    pub(crate) fn own(&self, row: usize) -> f64 {
        self.probability(row, self.labels[row])
    }

    /// The most probable class; ties go to the first.
    pub(crate) fn most_probable(&self, row: usize) -> usize {
        let mut best = 0;
        let row = self.row(row);
        for (class, p) in row.iter().enumerate() {
            if *p > row[best] {
                best = class;
            }
        }
        best
    }

    /// The most probable of the other classes, if there is another one.
    pub(crate) fn best_other(&self, row: usize) -> Option<f64> {
        let others = self.row(row).iter().enumerate();
        let others = others.filter(|(class, _)| *class != self.labels[row]);
        others.map(|(_, p)| f64::from(*p)).reduce(f64::max)
    }

    /// The rows of each class, ascending.
    pub(crate) fn rows_by_class(&self) -> Vec<Vec<usize>> {
        let mut rows = vec![Vec::new(); self.classes];
        for (row, label) in self.labels.iter().enumerate() {
            rows[*label].push(row);
        }
        rows
    }
}
