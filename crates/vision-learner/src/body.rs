//! The first part of a classifier: a backbone, pretrained or not, cut before its own head.

use std::path::{Path, PathBuf};

use vision_data::{Device, cache};
use vision_models::{
    Arch, Cut, Init,
    layers::Sequential,
    weights::{self, Format, WeightsFile},
};

use crate::{Error, Result, cnn::Body};

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
    /// A `.pth` or safetensors file with torchvision's names, or an ONNX file of the architecture.
    File(PathBuf),
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

impl From<&Path> for Pretrained {
    fn from(path: &Path) -> Self {
        Self::File(path.into())
    }
}

impl From<PathBuf> for Pretrained {
    fn from(path: PathBuf) -> Self {
        Self::File(path)
    }
}

impl Pretrained {
    /// The file to read, if any.
    ///
    /// # Errors
    ///
    /// [`Error::NoWeights`] if ImageNet weights are asked for and not in the cache.
    pub fn file(&self, arch: Arch) -> Result<Option<PathBuf>> {
        match self {
            Self::No => Ok(None),
            Self::File(path) => Ok(Some(path.clone())),
            Self::ImageNet => {
                let path = cache::weights_dir()?.join(arch.info().weights.file_name());
                if path.is_file() {
                    Ok(Some(path))
                } else {
                    let arch = arch.name();
                    Err(Error::NoWeights { arch, path })
                }
            }
        }
    }
}

/// An architecture that [`create_cnn`](crate::create_cnn) can build a classifier on.
///
/// Implemented by [`Arch`]; implement it for your own type to train a backbone of your own.
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

    /// What the user should know about these weights. Default: nothing.
    ///
    /// # Errors
    ///
    /// If the file cannot be read.
    fn warnings(&self, _pretrained: &Pretrained) -> Result<Vec<String>> {
        Ok(Vec::new())
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
        let info = self.info();
        let whole = match pretrained.file(*self)? {
            None => self.build(info.weights.classes, init),
            Some(path) => {
                let file = WeightsFile::open(&path)?;
                let whole = self.build(info.weights.classes, &mut Init::zeroed(init.device()));
                // The last child is the classifier, which every default cut drops; a file trained
                // on another number of classes differs there and nowhere else.
                let last = whole.names().last().unwrap_or("").to_owned();
                let (whole, report) = weights::load_layers(whole, &file)?;
                report.without(&last).require_complete()?;
                whole
            }
        };
        let body = cut.apply(whole, info.cut)?;
        let features = body.out_channels().unwrap_or(info.features);
        Ok((body, features))
    }

    fn warnings(&self, pretrained: &Pretrained) -> Result<Vec<String>> {
        let Pretrained::File(path) = pretrained else {
            return Ok(Vec::new());
        };
        let file = WeightsFile::open(path)?;
        if file.format() != Format::Onnx {
            return Ok(Vec::new());
        }
        let whole = self.build(
            self.info().weights.classes,
            &mut Init::zeroed(&Device::default()),
        );
        let folded = weights::compare_layers(&whole, &file).folded.len();
        let warning = format!(
            "{}: {folded} batch norms were folded into convolutions when it was exported. Predictions are as \
             they were, but training starts from a network without their scales and statistics: better \
             export it unfolded (torch.onnx.export(.., do_constant_folding=False, \
             training=TrainingMode.PRESERVE))",
            path.display()
        );
        Ok(if folded > 0 {
            vec![warning]
        } else {
            Vec::new()
        })
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
/// [`Error::NoWeights`] if ImageNet weights are not in the cache, [`Error::Models`] if a weights file
/// does not fit or the cut leaves nothing.
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
