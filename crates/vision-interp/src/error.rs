//! The one error type of this crate.

use vision_base::OptionError;
use vision_data::DatasetType;

/// The error of whoever delivers the pictures of a data set.
pub type ImageError = Box<dyn std::error::Error + Send + Sync>;

/// What can go wrong in this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The learner could not predict.
    #[error(transparent)]
    Learner(#[from] vision_learner::Error),

    /// The data could not be read, or a figure not be drawn or saved.
    #[error(transparent)]
    Data(#[from] vision_data::Error),

    /// The picture of an item could not be had.
    #[error("cannot get the picture of item {item}: {source}")]
    Image {
        /// Position of the item in the data set.
        item: usize,
        /// What the source of pictures said.
        source: ImageError,
    },

    /// A part of the data whose items have no class that a prediction could be compared with.
    #[error(
        "the {part:?} part of the data has no labels: interpret another one, or only `get_preds` of this one"
    )]
    NoLabels {
        /// The part.
        part: DatasetType,
    },

    /// Predictions, losses, targets and classes are not of the same data.
    #[error(
        "{field} has {found} entries, expected {expected}: predictions must be of one data set and its classes"
    )]
    Lengths {
        /// What has the wrong length.
        field: &'static str,
        /// How many entries it should have.
        expected: usize,
        /// How many it has.
        found: usize,
    },

    /// A class index beyond the list of classes.
    #[error("{role} class {found} does not exist: there are {classes} classes, counted from 0")]
    UnknownClass {
        /// `actual` or `predicted`.
        role: &'static str,
        /// The index, as given.
        found: usize,
        /// Number of classes.
        classes: usize,
    },

    /// A figure cannot be drawn or saved.
    #[error(transparent)]
    Figure(#[from] vision_figure::Error),

    /// An option is outside its range.
    #[error(transparent)]
    Option(#[from] OptionError),
}

/// A result with this crate's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;
