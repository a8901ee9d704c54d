use burn::{
    module::{
        Content, Devices, Module, ModuleDisplay, ModuleDisplayDefault, ModuleMapper, ModuleVisitor,
    },
    tensor::{Device, Tensor},
};
use vision_kernels::ops;

use super::{
    AdaptiveAvgPool2d, AdaptiveConcatPool2d, BatchNorm, Conv2d, Dropout, Linear, MaxPool2d,
    channels_last,
};
use crate::resnet::{BasicBlock, Bottleneck};

/// A module that a backbone or a head is made of.
///
/// Every layer maps `[batch, channels, height, width]` to the same rank; after [`Layer::Flatten`] height
/// and width are 1, so that batch norm, dropout and linear layers need no second form.
///
/// A layer's variant is not part of its parameters' paths (Burn's derive would add it): the path of
/// `layer1.0.conv1.weight` is the name that PyTorch gives it.
#[derive(Clone, Debug)]
#[non_exhaustive]
#[allow(clippy::large_enum_variant)] // a few hundred bytes a layer, beside megabytes of weights
pub enum Layer {
    /// A convolution.
    Conv2d(Conv2d),
    /// A batch normalisation, of maps or of flat features.
    BatchNorm(BatchNorm),
    /// max(x, 0).
    Relu,
    /// Maximum pooling.
    MaxPool2d(MaxPool2d),
    /// Mean pooling to a fixed size.
    AdaptiveAvgPool2d(AdaptiveAvgPool2d),
    /// fastai's pooling: maximum, then mean.
    AdaptiveConcatPool2d(AdaptiveConcatPool2d),
    /// `[batch, channels, height, width]` to `[batch, channels * height * width, 1, 1]`.
    Flatten,
    /// Dropout.
    Dropout(Dropout),
    /// A fully connected layer; flattens its input.
    Linear(Linear),
    /// Layers one after the other.
    Sequential(Sequential),
    /// The two-convolution residual block of ResNet-18 and 34.
    BasicBlock(BasicBlock),
    /// The three-convolution residual block of ResNet-50, 101 and 152.
    Bottleneck(Bottleneck),
}

impl Layer {
    /// Applies the layer to `[batch, channels, height, width]`.
    ///
    /// # Panics
    ///
    /// If the number of channels is not the layer's own.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        channels_last(x, |x| self.run(x))
    }

    /// Applies the layer to `[batch, height, width, channels]`.
    pub(crate) fn run(&self, x: Tensor<4>) -> Tensor<4> {
        match self {
            Self::Conv2d(layer) => layer.run(x),
            Self::BatchNorm(layer) => layer.run(x, None, false),
            Self::Relu => ops::relu(x),
            Self::MaxPool2d(layer) => layer.run(x),
            Self::AdaptiveAvgPool2d(layer) => layer.run(x),
            Self::AdaptiveConcatPool2d(layer) => layer.run(x),
            Self::Flatten => flatten(x),
            Self::Dropout(layer) => layer.forward(x),
            Self::Linear(layer) => {
                let x = flatten(x);
                let [n, _, _, features] = x.dims();
                let y = layer.forward(x.reshape([n, features]));
                let [n, c] = y.dims();
                y.reshape([n, 1, 1, c])
            }
            Self::Sequential(layer) => layer.run(x),
            Self::BasicBlock(layer) => layer.run(x),
            Self::Bottleneck(layer) => layer.run(x),
        }
    }

    /// Whether the layer is, or contains at any depth, a pooling layer.
    pub fn has_pool(&self) -> bool {
        match self {
            Self::MaxPool2d(_) | Self::AdaptiveAvgPool2d(_) | Self::AdaptiveConcatPool2d(_) => true,
            Self::Sequential(layer) => layer.layers().any(Self::has_pool),
            _ => false,
        }
    }

    /// Channels of the output, if the layer sets them.
    pub fn out_channels(&self) -> Option<usize> {
        match self {
            Self::Conv2d(layer) => Some(layer.weight.lazy_shape()[0]),
            Self::BatchNorm(layer) => Some(layer.weight.lazy_shape()[0]),
            Self::Linear(layer) => Some(layer.weight.lazy_shape()[0]),
            Self::Sequential(layer) => layer.out_channels(),
            Self::BasicBlock(layer) => Some(layer.out_channels()),
            Self::Bottleneck(layer) => Some(layer.out_channels()),
            _ => None,
        }
    }

    /// Appends the names of the leaf modules, in order, as fastai's `flatten_model` lists them.
    pub(crate) fn leaves(&self, name: &str, out: &mut Vec<String>) {
        let mut add = |parts: &[&str]| out.extend(parts.iter().map(|p| format!("{name}.{p}")));
        match self {
            Self::Sequential(layer) => {
                for (child, layer) in layer.children() {
                    layer.leaves(&join(name, child), out);
                }
            }
            Self::BasicBlock(layer) => add(layer.leaves()),
            Self::Bottleneck(layer) => add(layer.leaves()),
            Self::AdaptiveConcatPool2d(_) => add(&["ap", "mp"]),
            _ => out.push(name.to_owned()),
        }
    }
}

/// `[batch, height, width, channels]` to `[batch, 1, 1, channels * height * width]`, in PyTorch's order:
/// the pixels of one channel after those of the other.
fn flatten(x: Tensor<4>) -> Tensor<4> {
    let [n, h, w, c] = x.dims();
    let x = if h * w > 1 {
        x.permute([0, 3, 1, 2])
    } else {
        x
    };
    x.reshape([n, 1, 1, c * h * w])
}

fn join(prefix: &str, name: &str) -> String {
    if prefix.is_empty() {
        name.to_owned()
    } else {
        format!("{prefix}.{name}")
    }
}

/// Named layers, one after the other. The names are the first part of their parameters' paths.
///
/// ```
/// use vision_models::layers::{Layer, Sequential};
/// let mut net = Sequential::new();
/// net.push("relu", Layer::Relu);
/// assert_eq!(net.names().collect::<Vec<_>>(), ["relu"]);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Sequential {
    children: Vec<(String, Layer)>,
}

impl Sequential {
    /// No layers.
    pub fn new() -> Self {
        Self::default()
    }

    /// Layers named by their position: `"0"`, `"1"`, ..
    pub fn numbered(layers: impl IntoIterator<Item = Layer>) -> Self {
        let children = layers.into_iter().enumerate();
        Self {
            children: children.map(|(i, l)| (i.to_string(), l)).collect(),
        }
    }

    /// Appends a layer.
    pub fn push(&mut self, name: impl Into<String>, layer: Layer) {
        self.children.push((name.into(), layer));
    }

    /// The number of direct children.
    pub fn len(&self) -> usize {
        self.children.len()
    }

    /// Whether there are no layers.
    pub fn is_empty(&self) -> bool {
        self.children.is_empty()
    }

    /// The direct children with their names, in order.
    pub fn children(&self) -> impl Iterator<Item = (&str, &Layer)> {
        self.children.iter().map(|(n, l)| (n.as_str(), l))
    }

    /// The direct children, in order.
    pub fn layers(&self) -> impl Iterator<Item = &Layer> {
        self.children.iter().map(|(_, l)| l)
    }

    /// The names of the direct children, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.children.iter().map(|(n, _)| n.as_str())
    }

    /// The direct children, taken out.
    pub fn into_layers(self) -> Vec<Layer> {
        self.children.into_iter().map(|(_, l)| l).collect()
    }

    /// The first `n` children, renamed to their positions, as PyTorch's `Sequential(*children[:n])` does.
    pub fn truncated(self, n: usize) -> Self {
        Self::numbered(self.into_layers().into_iter().take(n))
    }

    /// Channels of the output: those of the last layer that sets them.
    pub fn out_channels(&self) -> Option<usize> {
        let mut layers = self.children.iter().rev();
        layers.find_map(|(_, layer)| layer.out_channels())
    }

    /// The names of all leaf modules in order, with fastai's way of counting: the two pools of
    /// [`AdaptiveConcatPool2d`] are two leaves.
    pub fn leaves(&self) -> Vec<String> {
        let mut out = Vec::new();
        for (name, layer) in self.children() {
            layer.leaves(name, &mut out);
        }
        out
    }

    /// Applies the layers to `[batch, channels, height, width]`.
    ///
    /// # Panics
    ///
    /// If the number of channels is not the first layer's.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        channels_last(x, |x| self.run(x))
    }

    /// Applies the layers to `[batch, height, width, channels]`.
    ///
    /// A convolution, the batch norm that follows and its ReLU are one operation each way where the
    /// device has one.
    pub(crate) fn run(&self, mut x: Tensor<4>) -> Tensor<4> {
        let mut rest = &self.children[..];
        while let [(_, first), after @ ..] = rest {
            let relu_at = |i: usize| matches!(rest.get(i), Some((_, Layer::Relu)));
            let taken;
            (x, taken) = match (first, after) {
                (Layer::Conv2d(conv), [(_, Layer::BatchNorm(norm)), ..]) => {
                    let relu = relu_at(2);
                    (conv.run_with(x, norm, None, relu), 2 + usize::from(relu))
                }
                (Layer::BatchNorm(norm), _) => {
                    let relu = relu_at(1);
                    (norm.run(x, None, relu), 1 + usize::from(relu))
                }
                (layer, _) => (layer.run(x), 1),
            };
            rest = rest.get(taken..).unwrap_or_default();
        }
        x
    }
}

/// Runs one expression on whatever module a layer holds; `$none` is for those that hold none.
macro_rules! with_inner {
    ($layer:expr, $inner:ident => $some:expr, $none:expr) => {
        match $layer {
            Layer::Conv2d($inner) => $some,
            Layer::BatchNorm($inner) => $some,
            Layer::Dropout($inner) => $some,
            Layer::Linear($inner) => $some,
            Layer::Sequential($inner) => $some,
            Layer::BasicBlock($inner) => $some,
            Layer::Bottleneck($inner) => $some,
            Layer::Relu
            | Layer::Flatten
            | Layer::MaxPool2d(_)
            | Layer::AdaptiveAvgPool2d(_)
            | Layer::AdaptiveConcatPool2d(_) => $none,
        }
    };
}

/// The same, for a change that gives a layer of the same variant back.
macro_rules! map_inner {
    ($layer:expr, $inner:ident => $some:expr) => {
        match $layer {
            Layer::Conv2d($inner) => Layer::Conv2d($some),
            Layer::BatchNorm($inner) => Layer::BatchNorm($some),
            Layer::Dropout($inner) => Layer::Dropout($some),
            Layer::Linear($inner) => Layer::Linear($some),
            Layer::Sequential($inner) => Layer::Sequential($some),
            Layer::BasicBlock($inner) => Layer::BasicBlock($some),
            Layer::Bottleneck($inner) => Layer::Bottleneck($some),
            Layer::Relu => Layer::Relu,
            Layer::Flatten => Layer::Flatten,
            Layer::MaxPool2d(pool) => Layer::MaxPool2d(pool.to_owned()),
            Layer::AdaptiveAvgPool2d(pool) => Layer::AdaptiveAvgPool2d(pool.to_owned()),
            Layer::AdaptiveConcatPool2d(pool) => Layer::AdaptiveConcatPool2d(pool.to_owned()),
        }
    };
}

// Written by hand, not derived: the derive would put the variant's name and an index into the path.
impl Module for Layer {
    fn collect_devices(&self, devices: Devices) -> Devices {
        with_inner!(self, m => m.collect_devices(devices), devices)
    }

    fn fork(self, device: &Device) -> Self {
        map_inner!(self, m => m.fork(device))
    }

    fn to_device(self, device: &Device) -> Self {
        map_inner!(self, m => m.to_device(device))
    }

    fn train(self) -> Self {
        map_inner!(self, m => m.train())
    }

    fn valid(&self) -> Self {
        map_inner!(self, m => m.valid())
    }

    fn materialize(self) -> Self {
        map_inner!(self, m => m.materialize())
    }

    fn visit<V: ModuleVisitor>(&self, visitor: &mut V) {
        with_inner!(self, m => m.visit(visitor), ());
    }

    fn map<M: ModuleMapper>(self, mapper: &mut M) -> Self {
        map_inner!(self, m => m.map(mapper))
    }
}

const CONTAINER: &str = "Struct:Sequential";

impl Sequential {
    fn map_layers(self, mut f: impl FnMut(Layer) -> Layer) -> Self {
        let children = self.children.into_iter();
        Self {
            children: children.map(|(name, layer)| (name, f(layer))).collect(),
        }
    }
}

impl Module for Sequential {
    fn collect_devices(&self, devices: Devices) -> Devices {
        self.layers()
            .fold(devices, |devices, layer| layer.collect_devices(devices))
    }

    fn fork(self, device: &Device) -> Self {
        self.map_layers(|layer| layer.fork(device))
    }

    fn to_device(self, device: &Device) -> Self {
        self.map_layers(|layer| layer.to_device(device))
    }

    fn train(self) -> Self {
        self.map_layers(Module::train)
    }

    fn valid(&self) -> Self {
        let children = self.children.iter();
        Self {
            children: children.map(|(n, l)| (n.clone(), l.valid())).collect(),
        }
    }

    fn materialize(self) -> Self {
        self.map_layers(Module::materialize)
    }

    fn visit<V: ModuleVisitor>(&self, visitor: &mut V) {
        for (name, layer) in self.children() {
            visitor.enter_module(name, CONTAINER);
            layer.visit(visitor);
            visitor.exit_module(name, CONTAINER);
        }
    }

    fn map<M: ModuleMapper>(self, mapper: &mut M) -> Self {
        let children = self.children.into_iter().map(|(name, layer)| {
            mapper.enter_module(&name, CONTAINER);
            let layer = layer.map(mapper);
            mapper.exit_module(&name, CONTAINER);
            (name, layer)
        });
        Self {
            children: children.collect(),
        }
    }
}

impl ModuleDisplayDefault for Sequential {
    fn content(&self, content: Content) -> Option<Content> {
        let names = self.names().collect::<Vec<_>>().join(", ");
        content.add_formatted(&names).optional()
    }
}

impl ModuleDisplay for Sequential {}

impl std::fmt::Display for Sequential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.format(burn::module::DisplaySettings::default()))
    }
}
