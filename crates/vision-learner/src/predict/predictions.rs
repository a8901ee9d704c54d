use vision_data::{Target, TargetKind, Targets};

use crate::metrics::argmax;
use crate::predict::threshold::Threshold;

/// Predictions for the items of a data set, in the order of the data set.
#[derive(Clone, Debug, PartialEq)]
pub struct Predictions {
    /// Activations of the loss, row-major `[items, classes]`: the probabilities of the classes, which
    /// sum to 1 if items have one class each; or the predicted numbers.
    pub probabilities: Vec<f32>,
    /// Number of outputs: of classes, or of numbers per item.
    pub classes: usize,
    /// The labels of the items.
    pub targets: Targets,
    /// The loss of each item, computed from its logits.
    pub losses: Vec<f32>,
    /// Position of each item in the data set.
    pub indices: Vec<usize>,
}

impl Predictions {
    /// Number of items.
    pub fn len(&self) -> usize {
        self.targets.len()
    }

    /// Whether there are no items.
    pub fn is_empty(&self) -> bool {
        self.targets.is_empty()
    }

    /// The probabilities of one item, one per class, or its predicted numbers; empty if the index is out
    /// of range.
    pub fn row(&self, item: usize) -> &[f32] {
        let start = item.saturating_mul(self.classes);
        self.probabilities
            .get(start..start.saturating_add(self.classes))
            .unwrap_or_default()
    }

    /// The most probable class of an item; ties go to the first.
    pub fn predicted(&self, item: usize) -> usize {
        argmax(self.row(item))
    }
}

/// The prediction for one image.
#[derive(Clone, Debug, PartialEq)]
pub struct Prediction {
    /// The label as text: the most probable class; for items with several classes, all classes above the
    /// threshold, joined by `;`; or the predicted numbers, joined by `;`.
    pub class: String,
    /// Index of the most probable class, or of the largest number.
    pub index: usize,
    /// The label: the class, the classes, or the numbers.
    pub label: Target,
    /// The probability of each class, which sum to 1 if items have one class each; or the predicted
    /// numbers.
    pub probabilities: Vec<f32>,
}

impl Prediction {
    /// From the activations of one item's outputs.
    pub(crate) fn new(
        kind: TargetKind,
        classes: &[String],
        probabilities: Vec<f32>,
        threshold: &Threshold,
    ) -> Self {
        let index = argmax(&probabilities);
        let name = |class: &usize| classes[*class].as_str();
        let (class, label) = match kind {
            TargetKind::Category => (name(&index).to_owned(), Target::Category(index)),
            TargetKind::MultiCategory => {
                let probable = probabilities.iter().enumerate();
                let probable = probable.filter(|(class, p)| **p >= threshold.of(*class));
                let probable: Vec<usize> = probable.map(|(class, _)| class).collect();
                let names: Vec<&str> = probable.iter().map(name).collect();
                (names.join(";"), Target::MultiCategory(probable))
            }
            TargetKind::Float => {
                let numbers: Vec<String> = probabilities.iter().map(f32::to_string).collect();
                (numbers.join(";"), Target::Float(probabilities.clone()))
            }
        };
        Self {
            class,
            index,
            label,
            probabilities,
        }
    }
}
