//! Pretrained weights of a backbone.

use std::path::{Path, PathBuf};

use vision_base::message::shown;
use vision_fetch::hub::Hub;
use vision_fetch::{Download, Fetched, Options, cache, is_http};
use vision_models::weights::WeightsSource;
use vision_models::{Arch, WeightsInfo, WeightsPlace};

use crate::model::hub::{self, FromHub};
use crate::{Error, Result};

/// How a text begins that names a repository of the hub.
const HUB: &str = "hub:";

/// The source of a backbone's weights.
///
/// `true` and `false` are fastai's `pretrained=True` and `False`. A string is a URL if it begins with
/// `http://` or `https://`, a repository of Hugging Face's hub if it begins with `hub:`, and a file otherwise.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Pretrained {
    /// The weights listed for the architecture ([`ArchInfo::weights`](vision_models::ArchInfo)): torchvision's of
    /// ImageNet, or a repository of the hub, downloaded into the cache the first time.
    /// [`Learner::weights_report`](crate::Learner::weights_report) says which.
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
    /// timm's weights in a repository on Hugging Face's hub, of this architecture: `model.safetensors`, and `config.json`
    /// with the preprocessing, which becomes the data's where it has none.
    Hub(Hub),
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
        } else if let Some(name) = text.strip_prefix(HUB) {
            Self::Hub(Hub::new(name))
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

impl From<Hub> for Pretrained {
    fn from(hub: Hub) -> Self {
        Self::Hub(hub)
    }
}

/// Weights to read, and what is known of them.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) file: WeightsSource,
    /// Where they come from, for the report. Empty for a file of the user.
    pub(crate) origin: String,
    pub(crate) hub: Option<FromHub>,
}

impl Found {
    fn file(file: impl Into<WeightsSource>, origin: impl Into<String>) -> Self {
        Self {
            file: file.into(),
            origin: origin.into(),
            hub: None,
        }
    }

    fn of_hub(found: FromHub) -> Self {
        Self {
            file: found.file.as_path().into(),
            origin: found.origin(),
            hub: Some(found),
        }
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
    pub(crate) fn find(&self, name: &str, hosted: Option<&WeightsInfo>) -> Result<Option<Found>> {
        match &self.pretrained {
            Pretrained::No => Ok(None),
            Pretrained::File(source) => Ok(Some(Found::file(source.clone(), ""))),
            Pretrained::Url(url) => {
                let path = self.fetch(name, url, self.options.clone())?;
                Ok(Some(Found::file(path, format!("from {}", shown(url)))))
            }
            Pretrained::Hub(hub) => self.of_hub(name, hub.clone()).map(Some),
            Pretrained::ImageNet => self.best(name, hosted).map(Some),
        }
    }

    fn best(&self, name: &str, hosted: Option<&WeightsInfo>) -> Result<Found> {
        let arch = || name.to_owned();
        let info = hosted.ok_or_else(|| Error::NotHosted { arch: arch() })?;
        match info.place {
            WeightsPlace::Hub { repository } => self.of_hub(name, Hub::new(repository)),
            WeightsPlace::Url { url, .. } => {
                // The size limit only guards the disk; the hash verifies the file.
                let options = match info.max_bytes() {
                    Some(bytes) => self.options.clone().with_max_size(bytes),
                    None => self.options.clone(),
                };
                let path = self.fetch(name, url, options)?;
                Ok(Found::file(path, format!("{} of torchvision", info.name())))
            }
            _ => Err(Error::NotHosted { arch: arch() }),
        }
    }

    fn of_hub(&self, name: &str, hub: Hub) -> Result<Found> {
        let hub = match (&self.dir, hub.cache()) {
            (Some(dir), None) => hub.with_cache(dir),
            _ => hub,
        };
        hub::find(&hub, name, &self.options).map(Found::of_hub)
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

/// Downloads the weights listed for `arch` into the cache, unless they are there, and returns the file.
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
    let found = Source::default().best(arch.name(), arch.info().weights.as_ref())?;
    Ok(found.file.path().to_owned())
}
