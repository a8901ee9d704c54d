//! Pretrained weights of a backbone.

use std::path::{Path, PathBuf};

use vision_fetch::{Download, Fetched, Options, cache, is_http};
use vision_models::weights::WeightsSource;
use vision_models::{Arch, WeightsInfo};

use crate::{Error, Result};

/// The source of a backbone's weights.
///
/// `true` and `false` are fastai's `pretrained=True` and `False`. A string is a URL if it begins with
/// `http://` or `https://`, and a file otherwise.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Pretrained {
    /// torchvision's ImageNet weights, downloaded into the cache the first time.
    #[default]
    ImageNet,
    /// Random weights: the architecture's own initialization.
    No,
    /// A PyTorch, safetensors or ONNX file of the architecture; only the body is used. Parameters may
    /// have the names of torchvision, timm or fastai, under any key and any prefix. If the file contains
    /// several sets of weights, a [`WeightsSource`] selects one.
    File(WeightsSource),
    /// The URL of such a file, downloaded into the cache the first time. The file name must end in a
    /// hyphen and at least eight digits of the file's SHA-256:
    /// `https://example.org/flowers-0123abcd.safetensors`.
    Url(String),
}

impl From<bool> for Pretrained {
    fn from(pretrained: bool) -> Self {
        if pretrained { Self::ImageNet } else { Self::No }
    }
}

impl From<&str> for Pretrained {
    fn from(text: &str) -> Self {
        if is_http(text) {
            Self::Url(text.to_owned())
        } else {
            Self::File(text.into())
        }
    }
}

impl From<String> for Pretrained {
    fn from(text: String) -> Self {
        Self::from(text.as_str())
    }
}

impl From<&Path> for Pretrained {
    fn from(path: &Path) -> Self {
        Self::File(path.into())
    }
}

impl From<PathBuf> for Pretrained {
    fn from(path: PathBuf) -> Self {
        Self::File(path.into())
    }
}

impl From<WeightsSource> for Pretrained {
    fn from(source: WeightsSource) -> Self {
        Self::File(source)
    }
}

/// The folder of weights, and the download options.
#[derive(Clone, Debug, Default)]
pub(crate) struct Source {
    pub(crate) pretrained: Pretrained,
    /// Default: the cache.
    pub(crate) dir: Option<PathBuf>,
    pub(crate) options: Options,
}

impl Source {
    /// The file to read, downloaded if needed; `None` for random weights. `hosted` is the backbone's
    /// published weights.
    pub(crate) fn file(
        &self,
        name: &str,
        hosted: Option<&WeightsInfo>,
    ) -> Result<Option<WeightsSource>> {
        match &self.pretrained {
            Pretrained::No => Ok(None),
            Pretrained::File(source) => Ok(Some(source.clone())),
            Pretrained::Url(url) => {
                let path = self.fetch(name, url, self.options.clone())?;
                Ok(Some(path.into()))
            }
            Pretrained::ImageNet => Ok(Some(self.imagenet(name, hosted)?.into())),
        }
    }

    fn imagenet(&self, name: &str, hosted: Option<&WeightsInfo>) -> Result<PathBuf> {
        let arch = || name.to_owned();
        let info = hosted.ok_or_else(|| Error::NotHosted { arch: arch() })?;
        // The size limit only guards the disk; the hash verifies the file.
        let options = self.options.clone().with_max_size(info.max_bytes());
        self.fetch(name, info.url, options)
    }

    fn fetch(&self, name: &str, url: &str, options: Options) -> Result<PathBuf> {
        let fetched = self.download(url, options);
        let fetched = fetched.map_err(|source| Error::NoWeights {
            arch: name.to_owned(),
            source: source.into(),
        })?;
        Ok(fetched.path)
    }

    fn download(&self, url: &str, options: Options) -> vision_fetch::Result<Fetched> {
        let dir = match &self.dir {
            Some(dir) => dir.clone(),
            None => cache::weights_dir()?,
        };
        let download = Download::named_by_hash(url, dir)?;
        download.with_options(options).fetch()
    }
}

/// Downloads the ImageNet weights of `arch` into the cache, unless they are there, and returns the file.
///
/// [`create_cnn`](crate::create_cnn) does this itself. Use this function to prepare a machine for
/// offline use.
///
/// # Errors
///
/// [`Error::NoWeights`] if the weights are not available, [`Error::NotHosted`] if none are published.
///
/// ```no_run
/// let file = vision_learner::imagenet_weights(vision_models::Arch::ResNet34)?;
/// assert!(file.ends_with("weights/resnet34-b627a593.pth")); // in ~/.cache/vision on Linux
/// # Ok::<(), vision_learner::Error>(())
/// ```
pub fn imagenet_weights(arch: Arch) -> Result<PathBuf> {
    Source::default().imagenet(arch.name(), arch.info().weights.as_ref())
}
