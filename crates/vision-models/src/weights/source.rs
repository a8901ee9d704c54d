//! A weights file, and which set of weights in it to use.

use std::path::{Path, PathBuf};

/// A weights file, and which set of weights in it to use if there are several.
///
/// A path alone is enough for most files: the weights are found under any key and any
/// prefix.
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
    /// A file whose weights are found automatically.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            key: None,
            prefix: None,
            averaged: false,
        }
    }

    /// Uses the weights under this key of the saved dict, such as `state_dict`. Separate nested
    /// keys with dots.
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Uses the weights whose names begin with this prefix, such as `module.encoder_q`. The key
    /// that contains them may be included or not.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = Some(prefix.into());
        self
    }

    /// Uses the averaged weights (`state_dict_ema`, `model_ema`) if the file has them beside the
    /// plain ones.
    pub fn averaged(mut self) -> Self {
        self.averaged = true;
        self
    }

    /// The same selection in another file.
    pub fn with_path(mut self, path: impl Into<PathBuf>) -> Self {
        self.path = path.into();
        self
    }

    /// Whether a set of weights is selected.
    pub fn chooses(&self) -> bool {
        self.key.is_some() || self.prefix.is_some() || self.averaged
    }

    /// The path of the file.
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
