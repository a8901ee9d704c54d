//! Images as points in the space of a model's features: similar ones, near duplicates, outliers.

pub(crate) mod duplicates;
mod groups;
pub(crate) mod item;
mod nearest;
pub(crate) mod neighbor;
pub(crate) mod outliers;
mod points;
pub(crate) mod space;
