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
    /// A shard on the network is not the one whose images are known.
    #[error(
        "{} has changed since its images were listed: {problem}. Delete {} to list them again",
        shown(path),
        shown(index)
    )]
    Changed {
        /// The URL.
        path: PathBuf,
        /// The list of its images.
        index: PathBuf,
        /// What is different.
        problem: String,
    },
    /// A pattern of names is not understood.
    #[error(
        "the pattern {} has {}: expected a range {{000..999}} or a choice {{a,b}} in braces, and at most a million names",
        quoted(pattern),
        shown(found)
    )]
    BadPattern {
        /// The pattern.
        pattern: String,
        /// What is there instead.
        found: String,
    },
    /// An image is too large.
    #[error(
        "the image {} in {} has {len} bytes, more than the limit of {limit}",
        quoted(name),
        shown(path)
    )]
    TooLarge {
        /// The shard: a file or a URL.
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
        /// The shard: a file or a URL.
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
        /// The shard: a file or a URL.
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
        /// The shard: a file or a URL.
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
        /// The shard: a file or a URL.
        path: PathBuf,
        /// The name up to its first dot.
        key: String,
        /// What is there.
        found: String,
    },
}
