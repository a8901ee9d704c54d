//! Where a backbone's weights come from.

use std::path::{Path, PathBuf};

use vision_fetch::{Download, Fetched, Options, cache, is_http};
use vision_models::weights::WeightsSource;
use vision_models::{Arch, WeightsInfo};

use crate::{Error, Result};

/// Where a backbone's weights come from.
///
/// `true` and `false` are fastai's `pretrained=True` and `False`; a text is a URL if it begins with `http://` or
/// `https://`, and a file otherwise.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Pretrained {
    /// torchvision's ImageNet weights. They are downloaded into the cache unless they are there.
    #[default]
    ImageNet,
    /// Random weights: the architecture's own initialization.
    No,
    /// A PyTorch, safetensors or ONNX file of the architecture, of which only the body is taken, with the names of
    /// torchvision, timm or fastai, under any key and behind any prefix. A [`WeightsSource`] says which of several
    /// sets of weights is meant.
    File(WeightsSource),
    /// Such a file on the network, downloaded into the cache unless it is there. Its name must end in a hyphen and
    /// at least eight digits of the file's SHA-256: `https://example.org/flowers-0123abcd.safetensors`.
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

/// Where to look for weights, and how to download them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Source {
    pub(crate) pretrained: Pretrained,
    /// Default: the cache.
    pub(crate) dir: Option<PathBuf>,
    pub(crate) options: Options,
}

impl Source {
    /// The file to read, downloaded if need be; none for random weights. `hosted` are the backbone's own.
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
        // The limit guards the disk; the hash decides.
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

/// The ImageNet weights of `arch` as a file: downloads them into the cache unless they are there.
///
/// [`create_cnn`](crate::create_cnn) does so by itself; this is for a program that prepares a machine without a
/// network.
///
/// # Errors
///
/// [`Error::NoWeights`] if they cannot be had, [`Error::NotHosted`] if there are none.
///
/// ```no_run
/// let file = vision_learner::imagenet_weights(vision_models::Arch::ResNet34)?;
/// assert!(file.ends_with("weights/resnet34-b627a593.pth")); // in ~/.cache/vision on Linux
/// # Ok::<(), vision_learner::Error>(())
/// ```
pub fn imagenet_weights(arch: Arch) -> Result<PathBuf> {
    Source::default().imagenet(arch.name(), arch.info().weights.as_ref())
}
