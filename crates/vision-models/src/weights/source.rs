//! A weights file, and which of the sets of weights in it.

use std::path::{Path, PathBuf};

/// A weights file, and which of the sets of weights in it is meant, where that has to be said.
///
/// A path alone is enough for most files: the weights are looked for, under any key and behind any prefix.
///
/// ```
/// use vision_models::weights::WeightsSource;
/// let file = WeightsSource::new("moco.pth").prefix("module.encoder_k");
/// let file = WeightsSource::new("timm.pth.tar").averaged();
/// let file = WeightsSource::from("resnet18.pth");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WeightsSource {
    pub(super) path: PathBuf,
    pub(super) key: Option<String>,
    pub(super) prefix: Option<String>,
    pub(super) averaged: bool,
}

impl WeightsSource {
    /// A file, in which the weights are looked for.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            key: None,
            prefix: None,
            averaged: false,
        }
    }

    /// Takes the weights from under this key of the saved dict, such as `state_dict`; with dots between the keys
    /// if one lies in another.
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Takes the weights whose names begin with this prefix, such as `module.encoder_q`. The key that they lie
    /// under may be a part of it or not.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = Some(prefix.into());
        self
    }

    /// Takes the averaged set of the weights (`state_dict_ema`, `model_ema`) where there is one beside the plain.
    pub fn averaged(mut self) -> Self {
        self.averaged = true;
        self
    }

    /// The same choice in another file.
    pub fn with_path(mut self, path: impl Into<PathBuf>) -> Self {
        self.path = path.into();
        self
    }

    /// Whether it says which weights are meant.
    pub fn chooses(&self) -> bool {
        self.key.is_some() || self.prefix.is_some() || self.averaged
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl From<&WeightsSource> for WeightsSource {
    fn from(source: &WeightsSource) -> Self {
        source.clone()
    }
}

macro_rules! from_paths {
    ($($path:ty),+) => {
        $(impl From<$path> for WeightsSource {
            fn from(path: $path) -> Self {
                Self::new(path)
            }
        })+
    };
}

from_paths!(&str, String, &String, &Path, PathBuf, &PathBuf);
