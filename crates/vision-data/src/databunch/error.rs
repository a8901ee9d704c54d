//! Errors of a data bunch as a whole.

use std::path::PathBuf;

use vision_base::message::shown;

/// An error of a data bunch as a whole.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// `normalize_batch` was called on data that is already normalized.
    #[error("the data is normalized already (mean {mean:?}, std {std:?}): normalize only once")]
    AlreadyNormalized {
        /// The mean in use.
        mean: [f32; 3],
        /// The standard deviation in use.
        std: [f32; 3],
    },
    /// The training set does not fill one batch.
    #[error(
        "the batch size is {batch_size}, but there are only {items} training image(s): an \
         incomplete last batch is dropped, so nothing would be trained on; lower the batch size"
    )]
    BatchLargerThanSet {
        /// The batch size.
        batch_size: usize,
        /// The number of training images.
        items: usize,
    },
    /// The requested part has no images.
    #[error("the data has no {part} images: {hint}")]
    Empty {
        /// The requested part.
        part: &'static str,
        /// Why there are none, or what to do.
        hint: &'static str,
    },
    /// There is no item with this index.
    #[error("there is no item {index}: the data set has {len} items (counted from 0)")]
    NoSuchItem {
        /// The index.
        index: usize,
        /// The number of items.
        len: usize,
    },
    /// An operation that needs files was requested for images that are not files.
    #[error(
        "these images cannot {action}: they come from an image source (ImageList::from_source), not from files, so \
         they could not be found again; write them to a folder first"
    )]
    NotFiles {
        /// The operation.
        action: &'static str,
    },
    /// A worker thread of the loader could not be started or ended early.
    #[error("a worker thread of the loader failed: {reason}")]
    Worker {
        /// What happened.
        reason: String,
    },
    /// A file does not hold a valid data set.
    #[error(
        "{} cannot be loaded as data, at {field}: expected {expected}, found {found}; save the data again \
         (`ImageDataBunch::save`)",
        shown(path)
    )]
    BadFile {
        /// The file.
        path: PathBuf,
        /// The invalid field.
        field: String,
        /// What the field should hold.
        expected: &'static str,
        /// What the field holds.
        found: String,
    },
    /// The folder for the synthetic digits holds something else.
    #[error(
        "{} exists already, but does not hold the requested digits ({expected}): found {}; \
         delete it or choose another folder",
        shown(path),
        shown(found)
    )]
    NotTheDigits {
        /// The folder.
        path: PathBuf,
        /// The requested parameters.
        expected: String,
        /// The parameters of the data in the folder.
        found: String,
    },
    /// The argument of `untar_data` is neither a URL nor a path that exists.
    #[error(
        "{} is neither an http(s) URL nor an existing file or folder: expected a `Urls` \
         constant, a URL, a .tgz archive or a folder",
        shown(given)
    )]
    NoSuchSource {
        /// The argument.
        given: String,
    },
}
