//! What decisions changed.

use std::path::PathBuf;

/// What the decisions changed when the data was built: [`ImageDataBunch::decided`](crate::ImageDataBunch::decided).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Decided {
    /// The images that were left out.
    pub excluded: Vec<PathBuf>,
    /// The images whose label was changed.
    pub relabeled: Vec<Relabeled>,
}

/// An image whose label was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Relabeled {
    /// The image.
    pub file: PathBuf,
    /// The label that it had; several classes or numbers are joined by `;`.
    pub from: String,
    /// The label that it has.
    pub to: String,
}
