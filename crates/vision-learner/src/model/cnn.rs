//! A classifier in two parts: the body of a backbone and a head.

use burn::module::{
    Content, Devices, Module, ModuleDisplay, ModuleDisplayDefault, ModuleMapper, ModuleVisitor,
};
use burn::tensor::{Device, Tensor};
use vision_models::layers::{Layer, Sequential};

/// A network that maps pictures to logits; what a [`Learner`](crate::Learner) trains.
pub trait Model: Module + 'static {
    /// Maps pictures `[batch, 3, height, width]` to logits `[batch, classes]`.
    fn forward(&self, images: Tensor<4>) -> Tensor<2>;

    /// Its body and head, if it has these two parts, as a [`Cnn`] has. A body in which nothing trains then
    /// runs as in inference, and [`Learner::cache_features`](crate::Learner::cache_features) can keep its
    /// outputs. Default: none.
    fn parts(&self) -> Option<&dyn TwoParts> {
        None
    }

    /// Its layers, which is what an export to ONNX goes by. Default: none, it is a module of its own kind.
    fn as_layers(&self) -> Option<Sequential> {
        None
    }
}

/// A model that is a head on a body. The paths of the body's parameters begin with `0.`.
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

/// A body for inference: pictures `[batch, 3, height, width]` to features.
pub type InferenceBody = Box<dyn Fn(Tensor<4>) -> Tensor<4> + Send>;

/// The first part of a [`Cnn`].
pub trait Body: Module + 'static {
    /// Maps pictures `[batch, 3, height, width]` to features `[batch, features, height', width']`.
    fn forward(&self, images: Tensor<4>) -> Tensor<4>;

    /// Its layers, which is what an export to ONNX goes by. Default: none, it is a module of its own kind.
    fn as_layers(&self) -> Option<Sequential> {
        None
    }
}

/// The second part of a [`Cnn`].
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
pub trait Head: Module + 'static {
    /// Maps features `[batch, features, height, width]` to logits `[batch, classes]`.
    fn forward(&self, features: Tensor<4>) -> Tensor<2>;

    /// The first step of [`forward`](Self::forward), if that is a pool over the whole map: without
    /// parameters, item by item. A cache of features then keeps what it gives. Default: none.
    #[allow(unused_variables)]
    fn pool(&self, features: Tensor<4>) -> Option<Tensor<4>> {
        None
    }

    /// The other steps: `forward_pooled(pool(x))` is `forward(x)`, bit for bit. Only called with what
    /// [`pool`](Self::pool) gave.
    fn forward_pooled(&self, pooled: Tensor<4>) -> Tensor<2> {
        self.forward(pooled)
    }

    /// Its layers, which is what an export to ONNX goes by. Default: none, it is a module of its own kind.
    fn as_layers(&self) -> Option<Sequential> {
        None
    }
}

/// A whole network of layers, its classifier included, such as one that was trained elsewhere:
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

/// Body and head, one after the other. Their parameters' paths begin with `0.` and `1.`, which makes
/// them fastai's: `0.4.0.conv1.weight`, `1.8.bias`.
#[derive(Clone, Debug)]
pub struct Cnn<B, H> {
    /// Pictures to features.
    pub body: B,
    /// Features to logits.
    pub head: H,
}

impl<B: Body, H: Head> Model for Cnn<B, H> {
    fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        self.head.forward(self.body.forward(images))
    }

    fn parts(&self) -> Option<&dyn TwoParts> {
        Some(self)
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

// By hand, since the derive would name the parts `body` and `head`.
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
