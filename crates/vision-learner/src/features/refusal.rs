//! Reasons why features cannot be cached.

use std::fmt;
use std::path::PathBuf;

use vision_base::message::shown;

/// The reason why the outputs of a body cannot be cached.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CacheRefusal {
    /// The model is not a body with a head.
    NotTwoParts,
    /// A parameter of the body is trainable.
    BodyTrains {
        /// A trainable parameter.
        parameter: String,
        /// Whether only batch norms are trainable.
        only_batch_norms: bool,
    },
    /// A layer of the body behaves differently in training: a batch norm or a dropout.
    BodyVaries {
        /// The layer.
        layer: String,
        /// Its type.
        owner: String,
        /// Whether it is a batch norm.
        batch_norm: bool,
    },
    /// The training images differ between epochs, or from the images under validation transforms.
    RandomTransforms {
        /// The transforms of the training images.
        transforms: String,
    },
    /// Training batches are mixed (MixUp or CutMix).
    BatchTransforms,
    /// An image file changed after the learner's data was made, so an older version may already have
    /// been decoded.
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
            Self::BodyVaries { layer, batch_norm: true, .. } => write!(
                f,
                "the batch norm {layer} of the body normalizes by the batch in training: build the learner \
                 with .bn_freeze(true), and freeze()"
            ),
            Self::BodyVaries { layer, owner, .. } => write!(
                f,
                "the layer {layer} ({owner}) of the body differs in training: if it normalizes by the batch, name its \
                 type in Body::batch_norms; else use a body without it, or train without cached features"
            ),
            Self::RandomTransforms { transforms } => write!(
                f,
                "the training images go through transforms that are random or that validation leaves out \
                 ({transforms}): build the data without .transforms(..), or train without cached features"
            ),
            Self::BatchTransforms => f.write_str(
                "training batches are mixed: build the data without .batch_transforms(..), or train without cached \
                 features",
            ),
            Self::FileChanged { path } => write!(
                f,
                "{} changed after the learner got its data, so some images may already be decoded from the old \
                 file: build the data again (and set_data)",
                shown(path)
            ),
        }
    }
}
