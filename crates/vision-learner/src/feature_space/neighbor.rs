//! Similar images.

use serde::Serialize;

use crate::feature_space::item::FeatureItem;

/// An image that is similar to another one: [`FeatureSpace::similar`](crate::FeatureSpace::similar).
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Neighbor {
    /// Its position in the space.
    pub position: usize,
    /// The image.
    pub item: FeatureItem,
    /// The cosine of the angle between the features of both: from -1 to 1, 1 for the same direction.
    pub similarity: f64,
}
