//! The error of the whole library.

use vision_base::{IoError, OptionError};
use vision_data::{
    DataError, DecisionError, DeviceError, FilesError, ImageError, LabelError, SplitError,
    TableError, TransformError,
};

/// Any error of the library.
///
/// One variant per kind of failure, wherever it happens: an image that cannot be decoded is
/// [`Error::Image`], whether indexing, training or drawing a figure finds it. Converting an error of
/// another crate of this library, as `?` does, flattens its nested errors into these variants.
///
/// ```
/// use vision::data::{FilesError, ImageDataBunch};
///
/// fn open() -> vision::Result<()> {
///     ImageDataBunch::from_folder("no/such/folder").build()?;
///     Ok(())
/// }
/// assert!(matches!(open(), Err(vision::Error::Files(FilesError::NotAFolder { .. }))));
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An I/O error of the operating system.
    #[error(transparent)]
    Io(#[from] IoError),
    /// An option is outside its range.
    #[error(transparent)]
    Option(#[from] OptionError),
    /// A download or an archive failed.
    #[error(transparent)]
    Fetch(vision_fetch::Error),
    /// A figure cannot be drawn or saved.
    #[error(transparent)]
    Figure(vision_figure::Error),
    /// Invalid device name.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// An image cannot be read, decoded or written.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// A folder of images is missing or invalid.
    #[error(transparent)]
    Files(#[from] FilesError),
    /// Invalid labels or classes.
    #[error(transparent)]
    Label(#[from] LabelError),
    /// An invalid table of file names and labels.
    #[error(transparent)]
    Table(#[from] TableError),
    /// Invalid decisions about images.
    #[error(transparent)]
    Decision(#[from] DecisionError),
    /// An invalid split.
    #[error(transparent)]
    Split(#[from] SplitError),
    /// An invalid transform.
    #[error(transparent)]
    Transform(#[from] TransformError),
    /// The data set as a whole is invalid.
    #[error(transparent)]
    Data(#[from] DataError),
    /// An invalid architecture or weights file.
    #[error(transparent)]
    Models(Box<vision_models::Error>),
    /// Training, prediction or a checkpoint failed.
    #[error(transparent)]
    Learner(Box<vision_learner::Error>),
    /// Interpretation failed.
    #[error(transparent)]
    Interp(Box<vision_interp::Error>),
    /// An error of one of this library's crates that has no variant here yet.
    #[error(transparent)]
    Other(Box<dyn std::error::Error + Send + Sync>),
}

impl From<vision_fetch::Error> for Error {
    fn from(error: vision_fetch::Error) -> Self {
        match error {
            vision_fetch::Error::Io(error) => error.into(),
            vision_fetch::Error::Option(error) => error.into(),
            error => Self::Fetch(error),
        }
    }
}

impl From<vision_figure::Error> for Error {
    fn from(error: vision_figure::Error) -> Self {
        match error {
            vision_figure::Error::Io(error) => error.into(),
            vision_figure::Error::Option(error) => error.into(),
            error => Self::Figure(error),
        }
    }
}

impl From<vision_data::Error> for Error {
    fn from(error: vision_data::Error) -> Self {
        use vision_data::Error as E;
        match error {
            E::Io(error) => error.into(),
            E::Option(error) => error.into(),
            E::Fetch(error) => error.into(),
            E::Figure(error) => error.into(),
            E::Device(error) => error.into(),
            E::Image(error) => error.into(),
            E::Files(error) => error.into(),
            E::Label(error) => error.into(),
            E::Table(error) => error.into(),
            E::Decision(error) => error.into(),
            E::Split(error) => error.into(),
            E::Transform(error) => error.into(),
            E::Data(error) => error.into(),
            error => Self::Other(error.into()),
        }
    }
}

impl From<vision_models::Error> for Error {
    fn from(error: vision_models::Error) -> Self {
        match error {
            vision_models::Error::Io(error) => error.into(),
            error => Self::Models(error.into()),
        }
    }
}

impl From<vision_learner::Error> for Error {
    fn from(error: vision_learner::Error) -> Self {
        use vision_learner::Error as E;
        match error {
            E::Io(error) => error.into(),
            E::Option(error) => error.into(),
            E::Fetch(error) => error.into(),
            E::Data(error) => error.into(),
            E::Models(error) => error.into(),
            error => Self::Learner(error.into()),
        }
    }
}

impl From<vision_interp::Error> for Error {
    fn from(error: vision_interp::Error) -> Self {
        use vision_interp::Error as E;
        match error {
            E::Option(error) => error.into(),
            E::Figure(error) => error.into(),
            E::Data(error) => error.into(),
            E::Learner(error) => error.into(),
            E::Image { item, source } => match source.downcast::<vision_data::Error>() {
                Ok(error) => (*error).into(),
                Err(source) => Self::Interp(E::Image { item, source }.into()),
            },
            error => Self::Interp(error.into()),
        }
    }
}

/// A result with the library's [`enum@Error`].
pub type Result<T> = std::result::Result<T, Error>;

#[cfg(test)]
mod tests {
    use vision_data::ImageProblem;

    use super::*;

    #[test]
    fn an_image_that_cannot_be_decoded_is_one_variant_wherever_it_happens() {
        let bad = || {
            vision_data::Error::from(ImageError::Decode {
                path: "a.png".into(),
                problem: ImageProblem::Empty,
            })
        };
        let from_learner = vision_learner::Error::from(bad());
        let nested = vision_interp::Error::from(vision_learner::Error::from(bad()));
        let boxed = vision_interp::Error::Image {
            item: 3,
            source: bad().into(),
        };
        let all: [Error; 4] = [
            bad().into(),
            from_learner.into(),
            nested.into(),
            boxed.into(),
        ];
        for error in all {
            let is = matches!(&error, Error::Image(ImageError::Decode { path, .. }) if path.ends_with("a.png"));
            assert!(is, "{error:?}");
        }
    }

    #[test]
    fn an_option_out_of_range_is_one_variant_wherever_it_happens() {
        let bad = || OptionError::new("scale", "at least 1", 0);
        let all: [Error; 4] = [
            vision_data::Error::from(bad()).into(),
            vision_learner::Error::from(bad()).into(),
            vision_interp::Error::from(bad()).into(),
            bad().into(),
        ];
        for error in all {
            assert!(
                matches!(&error, Error::Option(found) if *found == bad()),
                "{error:?}"
            );
            assert_eq!(error.to_string(), "bad scale: expected at least 1, found 0");
        }
    }
}
