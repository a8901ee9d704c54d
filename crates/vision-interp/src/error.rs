//! Errors of interpretation.

use vision_base::{IoError, OptionError};
use vision_data::{DatasetType, TargetKind};

/// An error of the function that provides the images of a data set.
pub type ImageError = Box<dyn std::error::Error + Send + Sync>;

/// Errors of interpretation.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The learner failed to predict.
    #[error(transparent)]
    Learner(#[from] vision_learner::Error),

    /// The data could not be read.
    #[error(transparent)]
    Data(#[from] vision_data::Error),

    /// The image of an item could not be read.
    #[error("cannot get the image of item {item}: {source}")]
    Image {
        /// Position of the item in the data set.
        item: usize,
        /// The error of the image function.
        source: ImageError,
    },

    /// The items of this part have no class to compare predictions with.
    #[error(
        "the {part:?} part of the data has no labels: interpret another part, or call `get_preds` for this one"
    )]
    NoLabels {
        /// The part.
        part: DatasetType,
    },

    /// The predictions have items without labels.
    #[error("the predictions have no labels: expected a class or classes for each item")]
    Unlabeled,

    /// The labels are of a kind that this interpretation is not for.
    #[error(
        "the labels are {}, but this interpretation is for {}: {}",
        found.describe(), expected.describe(), instead(*found)
    )]
    LabelKind {
        /// The kind that the interpretation is for.
        expected: TargetKind,
        /// The kind of the labels.
        found: TargetKind,
    },

    /// Predictions, losses, targets and classes have different lengths.
    #[error(
        "{field} has {found} entries, expected {expected}: all must belong to one data set and its classes"
    )]
    Lengths {
        /// The list with the wrong length.
        field: &'static str,
        /// Its expected length.
        expected: usize,
        /// Its length.
        found: usize,
    },

    /// A class index is not below the number of classes.
    #[error("{role} class {found} does not exist: there are {classes} classes, counted from 0")]
    UnknownClass {
        /// `actual`, `predicted` or `requested`.
        role: &'static str,
        /// The index.
        found: usize,
        /// Number of classes.
        classes: usize,
    },

    /// A figure cannot be drawn or saved.
    #[error(transparent)]
    Figure(#[from] vision_figure::Error),

    /// A file cannot be written.
    #[error(transparent)]
    Io(#[from] IoError),

    /// An option is outside its range.
    #[error(transparent)]
    Option(#[from] OptionError),
}

/// What to call for this kind of labels.
fn instead(found: TargetKind) -> &'static str {
    match found {
        TargetKind::Category => "call `ClassificationInterpretation::from_learner`",
        TargetKind::MultiCategory => "call `MultiLabelInterpretation::from_learner`",
        TargetKind::Float => {
            "numbers have no classes; call `Learner::get_preds` for each item's prediction and loss, and \
             `Learner::validate` for the metrics"
        }
    }
}

/// A result with this crate's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;
