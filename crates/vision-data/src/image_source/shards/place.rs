//! Where a shard is.

use std::path::PathBuf;

use vision_fetch::{file_name, is_http};

/// Where a shard is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    File(PathBuf),
    Url(String),
}

impl Place {
    pub(super) fn of(path: PathBuf) -> Self {
        match path.to_str() {
            Some(url) if is_http(url) => Self::Url(url.to_owned()),
            _ => Self::File(path),
        }
    }

    /// The file or URL, for messages.
    pub(super) fn shown(&self) -> PathBuf {
        match self {
            Self::File(path) => path.clone(),
            Self::Url(url) => url.into(),
        }
    }

    /// The name that its images have as their folder.
    pub(super) fn name(&self) -> PathBuf {
        let name = match self {
            Self::File(path) => path.file_name().map(PathBuf::from),
            Self::Url(url) => file_name(url).ok().map(PathBuf::from),
        };
        name.unwrap_or_default()
    }
}
