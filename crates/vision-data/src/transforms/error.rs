//! Transform errors.

use std::error::Error;
use std::path::PathBuf;

use vision_base::message::shown;

/// An error about a transform.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TransformError {
    /// Saved data contains a transform that is not registered in this program.
    #[error(
        "the transform {name:?} is not registered: call `register_transform::<T>()` with its type \
         before the data is loaded, or give other `.transforms(..)` (registered: {registered:?})"
    )]
    NotRegistered {
        /// The name under which it was saved.
        name: String,
        /// The registered names.
        registered: Vec<String>,
    },
    /// The settings of a transform cannot be serialized, deserialized or used.
    #[error(
        "the settings of the transform {name:?} cannot be used: {}",
        shown(reason)
    )]
    Settings {
        /// The name of the transform.
        name: String,
        /// The problem.
        reason: String,
    },
    /// The name is empty, or another type is registered under it.
    #[error("the transform {name:?} cannot be registered: {reason}")]
    Name {
        /// The name.
        name: &'static str,
        /// The problem with the name.
        reason: &'static str,
    },
    /// A transform failed on an image.
    #[error("the transform {transform:?} failed on {}: {}", shown(image), shown(source.to_string()))]
    Failed {
        /// The name of the transform.
        transform: String,
        /// The file, or "an image in memory".
        image: PathBuf,
        /// The error of the transform, or its panic.
        source: Box<dyn Error + Send + Sync>,
    },
}
