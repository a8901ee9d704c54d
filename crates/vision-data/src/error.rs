//! The error of this crate: one variant per module.

use std::io;
use std::path::Path;

use vision_base::{IoError, OptionError};

use crate::databunch::error::DataError;
use crate::decisions::error::DecisionError;
use crate::device::error::DeviceError;
use crate::files::error::FilesError;
use crate::image::error::ImageError;
use crate::image_source::shards::error::ShardError;
use crate::labels::error::LabelError;
use crate::split::error::SplitError;
use crate::table::error::TableError;
use crate::transforms::error::TransformError;

/// The errors of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An I/O error.
    #[error(transparent)]
    Io(#[from] IoError),
    /// An option is outside its range.
    #[error(transparent)]
    Option(#[from] OptionError),
    /// A download or an archive failed.
    #[error(transparent)]
    Fetch(#[from] vision_fetch::Error),
    /// A figure could not be made.
    #[error(transparent)]
    Figure(#[from] vision_figure::Error),
    /// Invalid device name.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// Invalid image.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// Invalid folder of images.
    #[error(transparent)]
    Files(#[from] FilesError),
    /// Invalid shard.
    #[error(transparent)]
    Shard(#[from] ShardError),
    /// Invalid labels or classes.
    #[error(transparent)]
    Label(#[from] LabelError),
    /// Invalid table.
    #[error(transparent)]
    Table(#[from] TableError),
    /// Invalid decisions about images.
    #[error(transparent)]
    Decision(#[from] DecisionError),
    /// Invalid split.
    #[error(transparent)]
    Split(#[from] SplitError),
    /// Invalid transform.
    #[error(transparent)]
    Transform(#[from] TransformError),
    /// The data as a whole is invalid.
    #[error(transparent)]
    Data(#[from] DataError),
}

/// A result with this crate's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

/// Same as [`vision_base::io_error`], with this crate's error.
pub(crate) fn io_error<'a>(
    action: &'static str,
    path: &'a Path,
) -> impl FnOnce(io::Error) -> Error + 'a {
    move |source| vision_base::io_error(action, path)(source).into()
}
