//! Why features cannot be kept.

use std::fmt;
use std::path::PathBuf;

use vision_base::message::shown;

/// Why the outputs of a body cannot be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CacheRefusal {
    /// The model is not a body with a head.
    NotTwoParts,
    /// Something in the body trains.
    BodyTrains {
        /// A parameter that trains.
        parameter: String,
        /// Whether batch norms are all that trains.
        only_batch_norms: bool,
    },
    /// A layer of the body gives something else in training: a batch norm, a dropout.
    BodyVaries {
        /// The layer.
        layer: String,
        /// Its type.
        owner: String,
    },
    /// The training pictures differ from epoch to epoch, or from what validation would make of them.
    RandomTransforms {
        /// The transforms of the training pictures.
        transforms: String,
    },
    /// Training batches are mixed.
    BatchTransforms,
    /// A picture's file is newer than the learner's data, of which some may have been decoded before.
    FileChanged {
        /// The file.
        path: PathBuf,
    },
}

impl fmt::Display for CacheRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotTwoParts => f.write_str(
                "the model is not a body with a head: use create_cnn, or implement Model::parts",
            ),
            Self::BodyTrains {
                parameter,
                only_batch_norms: false,
            } => write!(f, "the body trains ({parameter}): call freeze() first"),
            Self::BodyTrains { parameter, .. } => write!(
                f,
                "the batch norms of the frozen body train ({parameter}): build the learner with \
                 .bn_freeze(true)"
            ),
            Self::BodyVaries { layer, owner } if owner == "BatchNorm" => write!(
                f,
                "the batch norm {layer} of the body normalises by the batch in training: build the learner \
                 with .bn_freeze(true), and freeze()"
            ),
            Self::BodyVaries { layer, owner } => write!(
                f,
                "the layer {layer} ({owner}) of the body draws in training: use a body without it, or train \
                 without kept features"
            ),
            Self::RandomTransforms { transforms } => write!(
                f,
                "the training pictures go through transforms that validation leaves out or that draw \
                 ({transforms}): make the data without .transforms(..), or train without kept features"
            ),
            Self::BatchTransforms => f.write_str(
                "training batches are mixed: make the data without .batch_transforms(..), or train without \
                 kept features",
            ),
            Self::FileChanged { path } => write!(
                f,
                "{} changed after the learner got its data, of which some may be decoded already: make the \
                 data anew (and set_data)",
                shown(path)
            ),
        }
    }
}
