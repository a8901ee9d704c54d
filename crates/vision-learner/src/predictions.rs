use crate::metrics::argmax;

/// What a model says about the items of a data set, in the order of the data set.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Predictions {
    /// Probabilities, row-major `[items, classes]`.
    pub probabilities: Vec<f32>,
    /// Number of classes.
    pub classes: usize,
    /// The right class of each item.
    pub targets: Vec<usize>,
    /// The loss of each item, of its logits.
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

    /// The probabilities of one item, one per class; empty beyond the last item.
    pub fn row(&self, item: usize) -> &[f32] {
        let start = item.saturating_mul(self.classes);
        self.probabilities
            .get(start..start.saturating_add(self.classes))
            .unwrap_or_default()
    }

    /// The most probable class of an item; the first one wins a tie.
    pub fn predicted(&self, item: usize) -> usize {
        argmax(self.row(item))
    }
}

/// What a model says about one picture.
#[derive(Clone, Debug, PartialEq)]
pub struct Prediction {
    /// Name of the most probable class.
    pub class: String,
    /// Its index in the list of classes.
    pub index: usize,
    /// The probability of each class; they sum to 1.
    pub probabilities: Vec<f32>,
}
