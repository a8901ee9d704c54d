//! Two-part classifiers: the body of a backbone and a head.

use burn::module::{
    Content, Devices, Module, ModuleDisplay, ModuleDisplayDefault, ModuleMapper, ModuleVisitor,
};
use burn::tensor::{Device, Tensor};
use vision_models::layers::{Layer, Sequential};

/// A network that maps images to logits: the model that a [`Learner`](crate::Learner) trains.
pub trait Model: Module + Sync + 'static {
    /// Maps images `[batch, 3, height, width]` to logits `[batch, classes]`.
    fn forward(&self, images: Tensor<4>) -> Tensor<2>;

    /// Type names of its own batch normalizations, besides `BatchNorm` of `vision_models` and of Burn, which are known: the
    /// structs that hold the parameters, such as `["MyNorm"]`. Their parameters train in frozen groups
    /// ([`train_bn`](crate::LearnerBuilder::train_bn)), [`bn_freeze`](crate::LearnerBuilder::bn_freeze) stops them, and
    /// they do not decay without [`bn_wd`](crate::LearnerBuilder::bn_wd). Default: none.
    fn batch_norms(&self) -> Vec<&'static str> {
        Vec::new()
    }

    /// Its body and head, if it has these two parts, as a [`Cnn`] does. A body without trainable
    /// parameters then runs as in inference, and
    /// [`Learner::cache_features`](crate::Learner::cache_features) can cache its outputs. Default:
    /// `None`.
    fn parts(&self) -> Option<&dyn TwoParts> {
        None
    }

    /// Its layers, needed to export to ONNX. Default: `None`, for a custom module.
    fn as_layers(&self) -> Option<Sequential> {
        None
    }
}

/// A model made of a body and a head. The paths of the body's parameters begin with `0.`.
pub trait TwoParts {
    /// The body as a function, for inference on the plain device; it shares the body's weights.
    fn body(&self) -> InferenceBody;

    /// Maps features `[batch, features, height, width]` to logits `[batch, classes]`.
    fn head(&self, features: Tensor<4>) -> Tensor<2>;

    /// As [`Head::pool`].
    fn pool(&self, features: Tensor<4>) -> Option<Tensor<4>>;

    /// As [`Head::forward_pooled`].
    fn head_pooled(&self, pooled: Tensor<4>) -> Tensor<2>;
}

/// A body for inference: maps images `[batch, 3, height, width]` to features.
pub type InferenceBody = Box<dyn Fn(Tensor<4>) -> Tensor<4> + Send + Sync>;

/// The body of a [`Cnn`].
pub trait Body: Module + Sync + 'static {
    /// Maps images `[batch, 3, height, width]` to features `[batch, features, height', width']`.
    fn forward(&self, images: Tensor<4>) -> Tensor<4>;

    /// As [`Model::batch_norms`].
    fn batch_norms(&self) -> Vec<&'static str> {
        Vec::new()
    }

    /// Its layers, needed to export to ONNX. Default: `None`, for a custom module.
    fn as_layers(&self) -> Option<Sequential> {
        None
    }
}

/// The head of a [`Cnn`].
///
/// ```
/// use burn::{module::Module, nn, tensor::Tensor};
/// use vision_learner::Head;
///
/// #[derive(Module, Debug)]
/// struct MeanHead {
///     fc: nn::Linear,
/// }
///
/// impl Head for MeanHead {
///     fn forward(&self, features: Tensor<4>) -> Tensor<2> {
///         let [n, c, ..] = features.dims();
///         self.fc.forward(features.mean_dim(3).mean_dim(2).reshape([n, c]))
///     }
/// }
/// ```
pub trait Head: Module + Sync + 'static {
    /// Maps features `[batch, features, height, width]` to logits `[batch, classes]`.
    fn forward(&self, features: Tensor<4>) -> Tensor<2>;

    /// The first step of [`forward`](Self::forward), if it is a pool over the whole map that has no
    /// parameters and treats each item separately. A feature cache then stores its output. Default:
    /// `None`.
    // The name of the argument is for the documentation.
    #[allow(unused_variables)]
    fn pool(&self, features: Tensor<4>) -> Option<Tensor<4>> {
        None
    }

    /// The remaining steps: `forward_pooled(pool(x))` equals `forward(x)`, bit for bit. Called only with
    /// outputs of [`pool`](Self::pool).
    fn forward_pooled(&self, pooled: Tensor<4>) -> Tensor<2> {
        self.forward(pooled)
    }

    /// As [`Model::batch_norms`].
    fn batch_norms(&self) -> Vec<&'static str> {
        Vec::new()
    }

    /// Its layers, needed to export to ONNX. Default: `None`, for a custom module.
    fn as_layers(&self) -> Option<Sequential> {
        None
    }
}

/// A whole network of layers, including its classifier, is a model too. For example, one trained
/// elsewhere:
///
/// ```no_run
/// use vision_data::{ImageDataBunch, Stats};
/// use vision_learner::Learner;
/// use vision_models::weights::{self, WeightsFile};
/// use vision_models::{Arch, Init};
///
/// let data = ImageDataBunch::single_from_classes("flowers", ["daisy", "rose", "tulip"])
///     .size(224)
///     .normalize(Stats::IMAGENET)
///     .build()?;
/// let net = Arch::ResNet18.build(data.c(), &mut Init::zeroed(data.device()));
/// let (net, report) = weights::load_into(net, &WeightsFile::open("flowers.pth")?)?;
/// report.require_complete()?;
/// let learner = Learner::builder(data, net).build()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
impl Model for Sequential {
    fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        Self::forward(self, images).flatten(1, 3)
    }

    fn as_layers(&self) -> Option<Sequential> {
        Some(self.clone())
    }
}

impl Body for Sequential {
    fn forward(&self, images: Tensor<4>) -> Tensor<4> {
        Self::forward(self, images)
    }

    fn as_layers(&self) -> Option<Sequential> {
        Some(self.clone())
    }
}

impl Head for Sequential {
    fn forward(&self, features: Tensor<4>) -> Tensor<2> {
        Self::forward(self, features).flatten(1, 3)
    }

    fn pool(&self, features: Tensor<4>) -> Option<Tensor<4>> {
        match self.layers().next()? {
            Layer::AdaptiveConcatPool2d(pool) => Some(pool.forward(features)),
            Layer::AdaptiveAvgPool2d(pool) => Some(pool.forward(features)),
            _ => None,
        }
    }

    fn forward_pooled(&self, pooled: Tensor<4>) -> Tensor<2> {
        self.forward_from(1, pooled).flatten(1, 3)
    }

    fn as_layers(&self) -> Option<Sequential> {
        Some(self.clone())
    }
}

/// Body and head in sequence. The paths of their parameters begin with `0.` and `1.`, as in fastai:
/// `0.4.0.conv1.weight`, `1.8.bias`.
#[derive(Clone, Debug)]
pub struct Cnn<B, H> {
    /// The body: images to features.
    pub body: B,
    /// The head: features to logits.
    pub head: H,
}

impl<B: Body, H: Head> Model for Cnn<B, H> {
    fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        self.head.forward(self.body.forward(images))
    }

    fn parts(&self) -> Option<&dyn TwoParts> {
        Some(self)
    }

    fn batch_norms(&self) -> Vec<&'static str> {
        [self.body.batch_norms(), self.head.batch_norms()].concat()
    }

    fn as_layers(&self) -> Option<Sequential> {
        let parts = [self.body.as_layers()?, self.head.as_layers()?];
        Some(Sequential::numbered(parts.map(Layer::Sequential)))
    }
}

impl<B: Body, H: Head> TwoParts for Cnn<B, H> {
    fn body(&self) -> InferenceBody {
        let body = self.body.valid();
        Box::new(move |images| body.forward(images))
    }

    fn head(&self, features: Tensor<4>) -> Tensor<2> {
        self.head.forward(features)
    }

    fn pool(&self, features: Tensor<4>) -> Option<Tensor<4>> {
        self.head.pool(features)
    }

    fn head_pooled(&self, pooled: Tensor<4>) -> Tensor<2> {
        self.head.forward_pooled(pooled)
    }
}

const CONTAINER: &str = "Struct:Cnn";

// Written by hand, since the derive would name the parts `body` and `head`.
impl<B: Module, H: Module> Module for Cnn<B, H> {
    fn collect_devices(&self, devices: Devices) -> Devices {
        self.head
            .collect_devices(self.body.collect_devices(devices))
    }

    fn fork(self, device: &Device) -> Self {
        Self {
            body: self.body.fork(device),
            head: self.head.fork(device),
        }
    }

    fn to_device(self, device: &Device) -> Self {
        Self {
            body: self.body.to_device(device),
            head: self.head.to_device(device),
        }
    }

    fn train(self) -> Self {
        Self {
            body: self.body.train(),
            head: self.head.train(),
        }
    }

    fn valid(&self) -> Self {
        Self {
            body: self.body.valid(),
            head: self.head.valid(),
        }
    }

    fn materialize(self) -> Self {
        Self {
            body: self.body.materialize(),
            head: self.head.materialize(),
        }
    }

    fn visit<V: ModuleVisitor>(&self, visitor: &mut V) {
        visitor.enter_module("0", CONTAINER);
        self.body.visit(visitor);
        visitor.exit_module("0", CONTAINER);
        visitor.enter_module("1", CONTAINER);
        self.head.visit(visitor);
        visitor.exit_module("1", CONTAINER);
    }

    fn map<M: ModuleMapper>(self, mapper: &mut M) -> Self {
        mapper.enter_module("0", CONTAINER);
        let body = self.body.map(mapper);
        mapper.exit_module("0", CONTAINER);
        mapper.enter_module("1", CONTAINER);
        let head = self.head.map(mapper);
        mapper.exit_module("1", CONTAINER);
        Self { body, head }
    }
}

impl<B: Module, H: Module> ModuleDisplayDefault for Cnn<B, H> {
    fn content(&self, content: Content) -> Option<Content> {
        content.optional()
    }
}

impl<B: Module, H: Module> ModuleDisplay for Cnn<B, H> {}
