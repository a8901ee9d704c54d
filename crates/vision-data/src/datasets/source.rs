//! The argument of `untar_data`.

use std::path::{Path, PathBuf};

use crate::datasets::dataset::Dataset;

/// The source of a dataset for [`untar_data`](crate::datasets::untar_data): remote or local.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Source {
    /// An archive to download.
    Remote(Dataset),
    /// A `.tgz` archive or a folder.
    Local(PathBuf),
}

impl From<Dataset> for Source {
    fn from(dataset: Dataset) -> Self {
        Self::Remote(dataset)
    }
}

impl From<&Dataset> for Source {
    fn from(dataset: &Dataset) -> Self {
        Self::Remote(dataset.clone())
    }
}

/// A URL if it begins with `http://` or `https://`, otherwise a path.
impl From<&str> for Source {
    fn from(text: &str) -> Self {
        if vision_fetch::is_http(text) {
            Self::Remote(Dataset::new(text))
        } else {
            Self::Local(PathBuf::from(text))
        }
    }
}

/// Same as from `&str`.
impl From<String> for Source {
    fn from(text: String) -> Self {
        Self::from(text.as_str())
    }
}

/// Same as from `&str`.
impl From<&String> for Source {
    fn from(text: &String) -> Self {
        Self::from(text.as_str())
    }
}

impl From<&Path> for Source {
    fn from(path: &Path) -> Self {
        Self::Local(path.to_owned())
    }
}

impl From<PathBuf> for Source {
    fn from(path: PathBuf) -> Self {
        Self::Local(path)
    }
}

impl From<&PathBuf> for Source {
    fn from(path: &PathBuf) -> Self {
        Self::Local(path.clone())
    }
}
