//! An image in the space of features.

use serde::Serialize;
use vision_base::message::{named, printable};
use vision_data::inspect::doctor::Split;

/// An image in a [`FeatureSpace`](crate::FeatureSpace).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct FeatureItem {
    /// The part of the data that it belongs to.
    pub part: Split,
    /// Its position in that part.
    pub item: usize,
    /// Its file, relative to the root of the data, or its name in its source.
    pub name: String,
    /// Its label as text; empty without a label.
    pub label: String,
}

impl FeatureItem {
    /// `train/cat/1.jpg (train, cat)`.
    pub(super) fn shown(&self) -> String {
        let (name, part) = (printable(&self.name), self.part);
        match self.label.as_str() {
            "" => format!("{name} ({part})"),
            label => format!("{name} ({part}, {})", named(label)),
        }
    }
}
