//! Bodies: backbones, pretrained or not, cut before their own head.

use burn::module::Module;
use vision_data::Device;
use vision_models::layers::Sequential;
use vision_models::weights::{self, LoadReport, WeightsFile, WeightsSource};
use vision_models::{Arch, Cut, Init, WeightsInfo};

use crate::model::cnn::Body;
use crate::model::hub::FromHub;
use crate::model::pretrained::{Found, Pretrained, Source};
use crate::{Error, Result};

/// An architecture that [`create_cnn`](crate::create_cnn) can build a classifier on.
///
/// [`Arch`] implements it. Implement it for your own type to train a custom backbone:
///
/// ```
/// use vision_learner::{Backbone, BodyBuilder, Result};
/// use vision_models::Init;
/// use vision_models::layers::{ConvConfig, Layer, Linear, Sequential};
///
/// struct Small;
///
/// /// A convolution and a classifier, which the cut drops.
/// fn whole(classes: usize, init: &mut Init) -> Sequential {
///     let conv = ConvConfig::new(3, 16, 3).with_stride(2).init(init);
///     let mut net = Sequential::new();
///     net.push("conv", Layer::Conv2d(conv));
///     net.push("relu", Layer::Relu);
///     net.push("fc", Layer::Linear(Linear::new(16, classes, init)));
///     net
/// }
///
/// impl Backbone for Small {
///     type Body = Sequential; // any module that implements `Body` will do
///
///     fn name(&self) -> String {
///         "small".to_owned()
///     }
///
///     fn body(&self, builder: &mut BodyBuilder<'_>) -> Result<(Sequential, usize)> {
///         let net = builder.load_layers(|init| whole(10, init))?;
///         let body = builder.cut(net, -1)?;
///         Ok((body, 16)) // the number of features
///     }
/// }
/// ```
pub trait Backbone {
    /// The body's type.
    type Body: Body;

    /// Name in checkpoints and messages.
    fn name(&self) -> String;

    /// Builds the body and returns it with the number of channels of its features.
    ///
    /// `builder` holds the user's options; its methods load the weights and apply the cut. If the user
    /// sets weights or a cut and this function does not use them, that is an error.
    ///
    /// # Errors
    ///
    /// Anything that makes the body impossible: a cut that leaves nothing, weights that do not fit.
    fn body(&self, builder: &mut BodyBuilder<'_>) -> Result<(Self::Body, usize)>;

    /// The weights that `.pretrained(true)` downloads. Default: none.
    fn weights(&self) -> Option<&WeightsInfo> {
        None
    }

    /// Smallest side of an image that the body accepts, in pixels. Default: 1.
    fn min_size(&self) -> usize {
        1
    }

    /// What the sides of images must be multiples of, in pixels: the patches of a vision transformer. Default: 1.
    fn size_multiple(&self) -> usize {
        1
    }

    /// Whether the body gives maps, which the default head pools, and not one vector for each image, `[batch, features, 1,
    /// 1]`. Default: true.
    fn gives_maps(&self) -> bool {
        true
    }

    /// The modules at which the second and later layer groups begin: `0.6` is the body's child 6, `1`
    /// the head.
    fn split(&self) -> Vec<String> {
        vec!["1".to_owned()]
    }
}

/// Tools and options for [`Backbone::body`]: random numbers, weights and the cut.
#[derive(Debug)]
pub struct BodyBuilder<'a> {
    name: String,
    hosted: Option<&'a WeightsInfo>,
    source: &'a Source,
    cut: &'a Cut,
    init: &'a mut Init,
    /// The weights, once requested.
    found: Option<Found>,
    asked_for_weights: bool,
    asked_for_cut: bool,
    report: Option<LoadReport>,
}

impl BodyBuilder<'_> {
    /// The random initializer, with the device.
    pub fn init(&mut self) -> &mut Init {
        self.init
    }

    /// The weights file to load, downloaded if needed, for a backbone that reads it itself. `None` for
    /// random weights.
    ///
    /// # Errors
    ///
    /// [`Error::NoWeights`] if the file is not available, [`Error::NotHosted`] if no weights are
    /// published.
    pub fn file(&mut self) -> Result<Option<WeightsSource>> {
        self.asked_for_weights = true;
        if self.found.is_none() {
            self.found = self.source.find(&self.name, self.hosted)?;
        }
        Ok(self.found.as_ref().map(|found| found.file.clone()))
    }

    /// Builds a network of layers and loads the requested weights.
    ///
    /// Its last child must be the classifier, which the cut drops. The file must contain all parameters
    /// except those of the last child. So a file trained on another number of classes still fits.
    ///
    /// # Errors
    ///
    /// As [`file`](Self::file), and [`Error::Models`] if the file cannot be read or does not fit.
    pub fn load_layers(
        &mut self,
        make: impl FnOnce(&mut Init) -> Sequential,
    ) -> Result<Sequential> {
        let Some(source) = self.file()? else {
            return Ok(make(self.init));
        };
        // Do not draw random numbers for parameters that the file replaces.
        let net = make(&mut self.init.without_draws());
        let classifier = net.names().last().unwrap_or_default().to_owned();
        let (net, report) = weights::load_layers(net, &WeightsFile::open(source)?)?;
        self.loaded(report, &classifier)?;
        Ok(net)
    }

    /// As [`load_layers`](Self::load_layers), for any module. The file need not contain `classifier`.
    ///
    /// # Errors
    ///
    /// As [`load_layers`](Self::load_layers).
    pub fn load_module<M: Module>(&mut self, module: M, classifier: &str) -> Result<M> {
        let Some(source) = self.file()? else {
            return Ok(module);
        };
        let (module, report) = weights::load_into(module, &WeightsFile::open(source)?)?;
        self.loaded(report, classifier)?;
        Ok(module)
    }

    fn loaded(&mut self, report: LoadReport, classifier: &str) -> Result<()> {
        let mut report = report.without(classifier);
        report.require_complete()?;
        let origin = self.found.as_ref().map(|found| found.origin.clone());
        report
            .notes
            .extend(origin.filter(|origin| !origin.is_empty()));
        self.report = Some(report);
        Ok(())
    }

    /// Cuts the network at the user's cut, or at `default` if none was set, as [`Cut::apply`].
    ///
    /// # Errors
    ///
    /// [`Error::Models`] if nothing would be left.
    pub fn cut(&mut self, net: Sequential, default: isize) -> Result<Sequential> {
        self.asked_for_cut = true;
        Ok(self.cut.apply(net, default)?)
    }
}

/// A body, with information about its weights.
pub(crate) struct Built<B> {
    pub(crate) body: B,
    pub(crate) features: usize,
    /// Whether the default head pools.
    pub(crate) maps: bool,
    /// Whether its weights come from a file.
    pub(crate) pretrained: bool,
    pub(crate) report: Option<LoadReport>,
    /// The weights of the hub that were loaded.
    pub(crate) hub: Option<FromHub>,
    /// Where the weights come from; empty for a file.
    pub(crate) origin: String,
}

pub(crate) fn build<A: Backbone>(
    backbone: &A,
    source: &Source,
    cut: &Cut,
    init: &mut Init,
) -> Result<Built<A::Body>> {
    let mut builder = BodyBuilder {
        name: backbone.name(),
        hosted: backbone.weights(),
        source,
        cut,
        init,
        found: None,
        asked_for_weights: false,
        asked_for_cut: false,
        report: None,
    };
    let (body, features) = backbone.body(&mut builder)?;
    if !builder.asked_for_weights {
        // An architecture without published weights gets that error instead of "ignored".
        if source.pretrained == Pretrained::ImageNet && builder.hosted.is_none() {
            return Err(Error::NotHosted { arch: builder.name });
        }
        if source.pretrained != Pretrained::No {
            return Err(Error::Ignored {
                arch: builder.name,
                option: "pretrained",
                method: "load_layers, load_module or file",
            });
        }
    }
    if !builder.asked_for_cut && !matches!(cut, Cut::Default) {
        return Err(Error::Ignored {
            arch: builder.name,
            option: "cut",
            method: "cut",
        });
    }
    let pretrained = builder.found.is_some();
    let (origin, hub) = builder
        .found
        .map_or_else(Default::default, |found| (found.origin, found.hub));
    Ok(Built {
        body,
        features,
        // A cut of the user's own may end before the vector.
        maps: backbone.gives_maps() || !matches!(cut, Cut::Default),
        pretrained,
        report: builder.report,
        hub,
        origin,
    })
}

impl Backbone for Arch {
    type Body = Sequential;

    fn name(&self) -> String {
        self.to_string()
    }

    fn body(&self, builder: &mut BodyBuilder<'_>) -> Result<(Sequential, usize)> {
        let info = self.info();
        let classes = self.weights().map_or(1000, |weights| weights.classes);
        let whole = builder.load_layers(|init| self.build(classes, init))?;
        let body = builder.cut(whole, info.cut)?;
        let features = body.out_channels().unwrap_or(info.features);
        Ok((body, features))
    }

    fn weights(&self) -> Option<&WeightsInfo> {
        self.info().weights.as_ref()
    }

    fn min_size(&self) -> usize {
        self.info().min_size
    }

    fn size_multiple(&self) -> usize {
        self.info().patch.unwrap_or(1)
    }

    fn gives_maps(&self) -> bool {
        self.info().patch.is_none()
    }

    fn split(&self) -> Vec<String> {
        self.info().split.iter().map(|&s| s.to_owned()).collect()
    }
}

/// Creates the body of an architecture: its children before the cut.
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
/// [`Error::NoWeights`] if the weights are not available, [`Error::NotHosted`] if none are published,
/// [`Error::Models`] if a weights file does not fit or the cut leaves nothing.
pub fn create_body(
    arch: Arch,
    pretrained: impl Into<Pretrained>,
    cut: impl Into<Cut>,
    device: &Device,
) -> Result<Sequential> {
    let source = Source {
        pretrained: pretrained.into(),
        ..Source::default()
    };
    let built = build(&arch, &source, &cut.into(), &mut Init::new(0, device))?;
    Ok(built.body)
}
