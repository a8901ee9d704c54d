use thiserror::Error;

/// What can go wrong anywhere in the library: the error of one of its crates.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// Data: files, archives, downloads, pictures.
    #[error(transparent)]
    Data(#[from] vision_data::Error),
    /// Models: architectures and weights files.
    #[error(transparent)]
    Models(#[from] vision_models::Error),
    /// Training, prediction, checkpoints.
    #[error(transparent)]
    Learner(#[from] vision_learner::Error),
    /// Interpretation and plots.
    #[error(transparent)]
    Interp(#[from] vision_interp::Error),
}

/// A result with the library's [`enum@Error`].
pub type Result<T> = std::result::Result<T, Error>;
