//! The error of this crate: one variant for each room.

use std::io;
use std::path::Path;

use vision_base::{IoError, OptionError};

use crate::databunch::error::DataError;
use crate::device::error::DeviceError;
use crate::files::error::FilesError;
use crate::image::error::ImageError;
use crate::labels::error::LabelError;
use crate::split::error::SplitError;
use crate::table::error::TableError;
use crate::transforms::error::TransformError;

/// What can go wrong in this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused something.
    #[error(transparent)]
    Io(#[from] IoError),
    /// An option is outside its range.
    #[error(transparent)]
    Option(#[from] OptionError),
    /// Downloads and archives.
    #[error(transparent)]
    Fetch(#[from] vision_fetch::Error),
    /// Figures.
    #[error(transparent)]
    Figure(#[from] vision_figure::Error),
    /// Something is wrong with the name of a device.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// Something is wrong with an image.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// Something is wrong with a folder of images.
    #[error(transparent)]
    Files(#[from] FilesError),
    /// Something is wrong with labels and classes.
    #[error(transparent)]
    Label(#[from] LabelError),
    /// Something is wrong with a table.
    #[error(transparent)]
    Table(#[from] TableError),
    /// Something is wrong with a split.
    #[error(transparent)]
    Split(#[from] SplitError),
    /// Something is wrong with a transform.
    #[error(transparent)]
    Transform(#[from] TransformError),
    /// Something is wrong with data as a whole.
    #[error(transparent)]
    Data(#[from] DataError),
}

/// A result with this crate's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

/// As [`vision_base::io_error`], with this crate's error.
pub(crate) fn io_error<'a>(
    action: &'static str,
    path: &'a Path,
) -> impl FnOnce(io::Error) -> Error + 'a {
    move |source| vision_base::io_error(action, path)(source).into()
}
