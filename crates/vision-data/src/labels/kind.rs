//! The kind of a label, and the record of labels that were left out.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// The kind of the labels of a data set. It decides the loss and the metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TargetKind {
    /// One class per item: the target of a batch is `[batch]`, with the position of each class.
    Category,
    /// Any number of classes per item: the target is `[batch, classes]`, with zeros and ones.
    MultiCategory,
    /// Numbers: the target is `[batch, columns]`.
    Float,
}

impl TargetKind {
    /// A phrase that describes the kind, for messages.
    pub fn describe(self) -> &'static str {
        match self {
            Self::Category => "one class per item",
            Self::MultiCategory => "several classes per item",
            Self::Float => "numbers",
        }
    }
}

/// Labels left out on request: one unknown label in one part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dropped {
    /// "training", "validation" or "test".
    pub part: &'static str,
    /// The label, which is not among the classes.
    pub label: String,
    /// The number of items that had it.
    pub items: usize,
    /// The first file that had it.
    pub first: PathBuf,
}
