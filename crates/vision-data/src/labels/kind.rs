//! The kind of label that items have, and labels that were left out.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// The kind of label that all items of a set have. It decides the loss and the metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TargetKind {
    /// One class an item: the target of a batch is `[batch]`, positions of classes.
    Category,
    /// Any number of classes an item: the target is `[batch, classes]`, of zeros and ones.
    MultiCategory,
    /// Numbers: the target is `[batch, columns]`.
    Float,
}

impl TargetKind {
    /// A phrase for messages.
    pub fn describe(self) -> &'static str {
        match self {
            Self::Category => "one class an item",
            Self::MultiCategory => "several classes an item",
            Self::Float => "numbers",
        }
    }
}

/// Labels that were left out on request: those of one name in one part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dropped {
    /// "training", "validation" or "test".
    pub part: &'static str,
    /// The label that is not among the classes.
    pub label: String,
    /// The number of items that had it.
    pub items: usize,
    /// The first of them.
    pub first: PathBuf,
}
