//! What can be wrong with data as a whole.

use std::path::PathBuf;

use vision_base::message::shown;

/// What can be wrong with data as a whole.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// `normalize_batch` was called on data that is normalized already.
    #[error("the data is normalised already (mean {mean:?}, std {std:?}): normalise only once")]
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
        /// The training images.
        items: usize,
    },
    /// The data has no such images.
    #[error("the data has no {part} images: {hint}")]
    Empty {
        /// Which images were asked for.
        part: &'static str,
        /// Why there are none, or what to do.
        hint: &'static str,
    },
    /// There is no item of that index.
    #[error("there is no item {index}: the data set has {len} (counted from 0)")]
    NoSuchItem {
        /// The index.
        index: usize,
        /// The number of items.
        len: usize,
    },
    /// Something that only files have is asked of images that are not files.
    #[error(
        "these images cannot {action}: they come from a source and not from files (ImageList::from_source), \
         so nothing says where to find them again; write them to a folder first"
    )]
    NotFiles {
        /// What cannot be done.
        action: &'static str,
    },
    /// A worker thread of the loader could not be started or has ended early.
    #[error("a worker thread of the loader failed: {reason}")]
    Worker {
        /// What happened.
        reason: String,
    },
    /// A file does not hold a data set, or not all of it fits together.
    #[error(
        "{} cannot be loaded as data, at {field}: expected {expected}, found {found}; save the data \
         anew (`ImageDataBunch::save`)",
        shown(path)
    )]
    BadFile {
        /// The file.
        path: PathBuf,
        /// Where in it.
        field: String,
        /// What should be there.
        expected: &'static str,
        /// What is there.
        found: String,
    },
    /// The folder for the drawn digits holds something else.
    #[error(
        "{} is there already, but does not hold the digits asked for ({expected}): found {}; \
         delete it or choose another folder",
        shown(path),
        shown(found)
    )]
    NotTheDigits {
        /// The folder.
        path: PathBuf,
        /// The parameters asked for.
        expected: String,
        /// The parameters found.
        found: String,
    },
    /// What was given to `untar_data` is neither a URL nor something on this disk.
    #[error(
        "{given:?} is no http(s) URL, and there is no such file or folder: expected a `Urls` \
         constant, a URL, a .tgz archive or a folder"
    )]
    NoSuchSource {
        /// What was given.
        given: String,
    },
}
