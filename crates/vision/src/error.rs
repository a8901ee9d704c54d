use std::fmt;

use thiserror::Error;

/// What can go wrong anywhere in the library: the error of one of its crates.
#[derive(Error)]
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

/// The message, as a program whose `main` returns this error prints it.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A result with the library's [`enum@Error`].
pub type Result<T> = std::result::Result<T, Error>;

#[cfg(test)]
mod tests {
    use super::Error;

    #[test]
    fn a_program_that_ends_in_an_error_prints_what_to_do() {
        // `fn main() -> Result<(), E>` prints the error with `{:?}`.
        let error = vision_data::ImageDataBunch::from_folder("no/such/folder").build();
        let error = error.map_err(Error::from).err();
        let shown = error.map(|error| format!("{error:?}"));
        let expected = "no/such/folder is not a folder (there is nothing there)";
        assert_eq!(shown.as_deref(), Some(expected));
    }
}
