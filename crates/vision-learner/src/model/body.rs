//! The first part of a classifier: a backbone, pretrained or not, cut before its own head.

use std::path::{Path, PathBuf};

use vision_data::Device;
use vision_fetch::cache;
use vision_models::layers::Sequential;
use vision_models::weights::{self, LoadReport, WeightsFile, WeightsSource};
use vision_models::{Arch, Cut, Init};

use crate::model::cnn::Body;
use crate::{Error, Result};

/// Where a backbone's weights come from.
///
/// `true` and `false` are fastai's `pretrained=True` and `False`; a path is a file.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Pretrained {
    /// torchvision's ImageNet weights, as `cargo xtask fetch-weights` puts them into the cache.
    #[default]
    ImageNet,
    /// Random weights: the architecture's own initialisation.
    No,
    /// A PyTorch, safetensors or ONNX file of the architecture, of which only the body is taken, with the names of
    /// torchvision, timm or fastai, under any key and behind any prefix. A [`WeightsSource`] says which of several
    /// sets of weights is meant.
    File(WeightsSource),
}

impl From<bool> for Pretrained {
    fn from(pretrained: bool) -> Self {
        if pretrained { Self::ImageNet } else { Self::No }
    }
}

impl From<&str> for Pretrained {
    fn from(path: &str) -> Self {
        Self::File(path.into())
    }
}

impl From<WeightsSource> for Pretrained {
    fn from(source: WeightsSource) -> Self {
        Self::File(source)
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

impl Pretrained {
    /// The file to read, if any.
    ///
    /// # Errors
    ///
    /// [`Error::NoWeights`] if ImageNet weights are asked for and not in the cache, [`Error::NotHosted`] if
    /// there are none.
    pub fn file(&self, arch: Arch) -> Result<Option<WeightsSource>> {
        match self {
            Self::No => Ok(None),
            Self::File(source) => Ok(Some(source.clone())),
            Self::ImageNet => {
                let (arch, info) = (arch.name(), arch.info());
                let Some(weights) = &info.weights else {
                    return Err(Error::NotHosted { arch });
                };
                let path = cache::weights_dir()?.join(weights.file_name());
                if path.is_file() {
                    Ok(Some(path.into()))
                } else {
                    Err(Error::NoWeights { arch, path })
                }
            }
        }
    }
}

/// An architecture that [`create_cnn`](crate::create_cnn) can build a classifier on.
///
/// Implemented by [`Arch`]; implement it for your own type to train a backbone of your own, as
/// `crates/vision/examples/own_backbone.rs` in the repository does.
pub trait Backbone {
    /// The body's type.
    type Body: Body;

    /// Name in checkpoints and messages.
    fn name(&self) -> String;

    /// Builds the body with its weights, and tells how many channels its features have.
    ///
    /// # Errors
    ///
    /// Whatever makes the body impossible: a cut that leaves nothing, weights that do not fit.
    fn body(
        &self,
        pretrained: &Pretrained,
        cut: &Cut,
        init: &mut Init,
    ) -> Result<(Self::Body, usize)>;

    /// [`body`](Self::body), and how its weights were loaded if they come from a file.
    ///
    /// # Errors
    ///
    /// As [`body`](Self::body).
    fn body_and_report(
        &self,
        pretrained: &Pretrained,
        cut: &Cut,
        init: &mut Init,
    ) -> Result<(Self::Body, usize, Option<LoadReport>)> {
        let (body, features) = self.body(pretrained, cut, init)?;
        Ok((body, features, None))
    }

    /// Smallest side of a picture that the body can take, in pixels. Default: 1.
    fn min_size(&self) -> usize {
        1
    }

    /// Names of the modules that begin the second and later layer groups: `0.6` is the body's child 6,
    /// `1` the head.
    fn split(&self) -> Vec<String> {
        vec!["1".to_owned()]
    }
}

impl Backbone for Arch {
    type Body = Sequential;

    fn name(&self) -> String {
        self.to_string()
    }

    fn body(
        &self,
        pretrained: &Pretrained,
        cut: &Cut,
        init: &mut Init,
    ) -> Result<(Sequential, usize)> {
        let (body, features, _) = self.body_and_report(pretrained, cut, init)?;
        Ok((body, features))
    }

    fn body_and_report(
        &self,
        pretrained: &Pretrained,
        cut: &Cut,
        init: &mut Init,
    ) -> Result<(Sequential, usize, Option<LoadReport>)> {
        let info = self.info();
        let classes = info
            .weights
            .as_ref()
            .map_or(1000, |weights| weights.classes);
        let (whole, report) = match pretrained.file(*self)? {
            None => (self.build(classes, init), None),
            Some(source) => {
                let whole = self.build(classes, &mut Init::zeroed(init.device()));
                let last = whole.names().last().unwrap_or_default().to_owned();
                let file = WeightsFile::open(source)?;
                // The last child is the classifier, which every default cut drops; a file trained
                // on another number of classes differs there and nowhere else.
                let (whole, report) = weights::load_layers(whole, &file)?;
                let report = report.without(&last);
                report.require_complete()?;
                (whole, Some(report))
            }
        };
        let body = cut.apply(whole, info.cut)?;
        let features = body.out_channels().unwrap_or(info.features);
        Ok((body, features, report))
    }

    fn min_size(&self) -> usize {
        self.info().min_size
    }

    fn split(&self) -> Vec<String> {
        self.info().split.iter().map(|&s| s.to_owned()).collect()
    }
}

/// The body of an architecture: its children before the cut.
///
/// ```
/// use vision_learner::{Pretrained, create_body};
/// use vision_models::{Arch, Cut};
/// # let device = vision_models::test_device();
/// let body = create_body(Arch::ResNet18, Pretrained::No, Cut::Default, &device)?;
/// assert_eq!(body.len(), 8);
/// # Ok::<(), vision_learner::Error>(())
/// ```
///
/// # Errors
///
/// [`Error::NoWeights`] if ImageNet weights are not in the cache, [`Error::NotHosted`] if there are none,
/// [`Error::Models`] if a weights file does not fit or the cut leaves nothing.
pub fn create_body(
    arch: Arch,
    pretrained: impl Into<Pretrained>,
    cut: impl Into<Cut>,
    device: &Device,
) -> Result<Sequential> {
    let mut init = Init::new(0, device);
    let (body, _) = arch.body(&pretrained.into(), &cut.into(), &mut init)?;
    Ok(body)
}
