//! What can be wrong with transforms.

use std::error::Error;
use std::path::PathBuf;

use vision_base::message::shown;

/// What can be wrong with transforms.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TransformError {
    /// Saved data has a transform that this program does not know.
    #[error(
        "the transform {name:?} is not registered: call `register_transform::<T>()` with its type \
         before the data is loaded, or give other `.transforms(..)` (registered: {registered:?})"
    )]
    NotRegistered {
        /// The name under which it was saved.
        name: String,
        /// The names that are known.
        registered: Vec<String>,
    },
    /// The settings of a transform cannot be written, read or used.
    #[error(
        "the settings of the transform {name:?} cannot be used: {}",
        shown(reason)
    )]
    Settings {
        /// The transform.
        name: String,
        /// What is wrong.
        reason: String,
    },
    /// Two types of one name, or a name that is empty.
    #[error("the transform {name:?} cannot be registered: {reason}")]
    Name {
        /// The name.
        name: &'static str,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A transform failed on an image.
    #[error("the transform {transform:?} failed on {}: {}", shown(image), shown(source.to_string()))]
    Failed {
        /// The transform.
        transform: String,
        /// The file, or "an image in memory".
        image: PathBuf,
        /// Its error. A panic is one too.
        source: Box<dyn Error + Send + Sync>,
    },
}
