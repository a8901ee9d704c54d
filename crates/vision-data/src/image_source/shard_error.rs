//! Errors about shards.

use std::path::PathBuf;

use vision_base::message::{quoted, shown};

/// What is wrong with a shard.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ShardError {
    /// There is no shard, or none has an image.
    #[error(
        "there are no images in {shards} shard(s): expected tar files with images such as 000001.jpg"
    )]
    NoImages {
        /// The number of shards.
        shards: usize,
    },
    /// The folder has no shards.
    #[error(
        "there is no .tar file in {}: name the folder of the shards, or the shards themselves",
        shown(folder)
    )]
    NoShards {
        /// The folder.
        folder: PathBuf,
    },
    /// The file is not a tar file, or is damaged.
    #[error("{} is not a tar file that can be read: {problem}", shown(path))]
    Damaged {
        /// The shard.
        path: PathBuf,
        /// What the reader says.
        problem: String,
    },
    /// The end is missing.
    #[error(
        "{} is cut off: it has {len} bytes, and {what} would need {needed}; copy or download it again",
        shown(path)
    )]
    CutOff {
        /// The shard.
        path: PathBuf,
        /// Its size in bytes.
        len: u64,
        /// What does not fit: a file in it, or its end.
        what: String,
        /// The size in bytes that it would need at least.
        needed: u64,
    },
    /// A file in it has a name that leads out of a folder.
    #[error(
        "{} has a file with the name {}: expected a relative name without ..",
        shown(path),
        quoted(name)
    )]
    UnsafeName {
        /// The shard.
        path: PathBuf,
        /// The name.
        name: String,
    },
    /// An image is too large.
    #[error(
        "the image {} in {} has {len} bytes, more than the limit of {limit}",
        quoted(name),
        shown(path)
    )]
    TooLarge {
        /// The shard.
        path: PathBuf,
        /// The name.
        name: String,
        /// Its size in bytes.
        len: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// A label has no image beside it.
    #[error(
        "the label {key}.cls of {} has no image next to it: the files of a sample follow each other, as in a tar file whose names are \
         sorted (`tar --sort=name`)",
        shown(path)
    )]
    NoImage {
        /// The shard.
        path: PathBuf,
        /// The name up to its first dot.
        key: String,
    },
    /// Two images have one key.
    #[error(
        "{} has two images with the key {}: the files of a sample differ only in what follows the first dot",
        shown(path),
        quoted(key)
    )]
    TwoImages {
        /// The shard.
        path: PathBuf,
        /// The name up to its first dot.
        key: String,
    },
    /// An image has no label, and others have one.
    #[error(
        "the image {} of {} has no label, and others have one: expected {key}.cls beside it",
        quoted(key),
        shown(path)
    )]
    NoLabel {
        /// The shard.
        path: PathBuf,
        /// The name up to its first dot.
        key: String,
    },
    /// A label is no name of a class.
    #[error(
        "the label {key}.cls of {} is no name of a class: expected a line of text without /, found {found}",
        shown(path)
    )]
    BadLabel {
        /// The shard.
        path: PathBuf,
        /// The name up to its first dot.
        key: String,
        /// What is there.
        found: String,
    },
}
