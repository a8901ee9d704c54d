use burn::module::{
    Content, Devices, Module, ModuleDisplay, ModuleDisplayDefault, ModuleMapper, ModuleVisitor,
};
use burn::tensor::{Device, Tensor};
use vision_kernels::ops::{self, Activation};

use super::{Layer, channels_last};

/// Named layers in sequence. The names are the first part of their parameters' paths.
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
    /// An empty sequence.
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

    /// Layers with their names.
    pub(crate) fn named<const N: usize>(layers: [(&str, Layer); N]) -> Self {
        let children = layers.map(|(name, layer)| (name.to_owned(), layer));
        Self {
            children: children.into(),
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

    /// Returns the direct children.
    pub fn into_layers(self) -> Vec<Layer> {
        self.children.into_iter().map(|(_, l)| l).collect()
    }

    /// The first `n` children, renamed to their positions, as PyTorch's `Sequential(*children[:n])` does.
    pub fn truncated(self, n: usize) -> Self {
        Self::numbered(self.into_layers().into_iter().take(n))
    }

    /// Side of the patches that a vision transformer cuts images into, in pixels: their sides are multiples of it. `None`
    /// for other networks.
    pub fn patch(&self) -> Option<usize> {
        let mut stride = None;
        for layer in self.layers() {
            match layer {
                Layer::Tokens(_) => return stride,
                Layer::Conv2d(conv) => stride = Some(conv.stride),
                Layer::Sequential(layers) => {
                    if let Some(patch) = layers.patch() {
                        return Some(patch);
                    }
                    if let [(_, Layer::Conv2d(conv))] = layers.children.as_slice() {
                        stride = Some(conv.stride);
                    }
                }
                _ => {}
            }
        }
        None
    }

    /// Number of output channels, from the last layer that sets them.
    pub fn out_channels(&self) -> Option<usize> {
        let mut layers = self.children.iter().rev();
        layers.find_map(|(_, layer)| layer.out_channels())
    }

    /// The names of all leaf modules in order, counted as in fastai: the two pools of
    /// [`AdaptiveConcatPool2d`](super::AdaptiveConcatPool2d) are two leaves.
    pub fn leaves(&self) -> Vec<String> {
        let mut out = Vec::new();
        self.leaves_under("", &mut out);
        out
    }

    /// Appends the names of all leaf modules below `prefix`.
    pub(crate) fn leaves_under(&self, prefix: &str, out: &mut Vec<String>) {
        for (name, layer) in self.children() {
            if prefix.is_empty() {
                layer.leaves(name, out);
            } else {
                layer.leaves(&format!("{prefix}.{name}"), out);
            }
        }
    }

    /// Applies the layers to `[batch, channels, height, width]`.
    ///
    /// # Panics
    ///
    /// If the number of channels is not that of the first layer.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        channels_last(x, |x| self.run(x))
    }

    /// Applies the layers from child `first` on to the output of the children before it.
    ///
    /// # Panics
    ///
    /// As [`forward`](Self::forward), or if there are fewer than `first` children.
    pub fn forward_from(&self, first: usize, x: Tensor<4>) -> Tensor<4> {
        channels_last(x, |x| self.run_from(first, x))
    }

    /// Applies the layers to `[batch, height, width, channels]`.
    ///
    /// A convolution, the batch norm that follows and its activation are one operation forward and one
    /// backward if the device has one.
    pub(crate) fn run(&self, x: Tensor<4>) -> Tensor<4> {
        run(&self.children, x)
    }

    /// Applies the first `n` layers to `[batch, height, width, channels]`.
    pub(crate) fn run_first(&self, n: usize, x: Tensor<4>) -> Tensor<4> {
        run(&self.children[..n], x)
    }

    /// Applies the layers from child `first` on to `[batch, height, width, channels]`.
    pub(crate) fn run_from(&self, first: usize, x: Tensor<4>) -> Tensor<4> {
        run(&self.children[first..], x)
    }

    /// Applies the layers to `[batch, height, width, channels]`, adds a residual, and then applies an activation
    /// if requested. If the layers end in a convolution and a batch norm, all of these are one
    /// operation.
    pub(crate) fn run_onto(
        &self,
        x: Tensor<4>,
        residual: Tensor<4>,
        activation: Option<Activation>,
    ) -> Tensor<4> {
        match self.children.as_slice() {
            [before @ .., (_, Layer::Sequential(last))] => {
                last.run_onto(run(before, x), residual, activation)
            }
            [
                before @ ..,
                (_, Layer::Conv2d(conv)),
                (_, Layer::BatchNorm(norm)),
            ] => conv.run_with(run(before, x), norm, Some(residual), activation),
            all => {
                let y = run(all, x) + residual;
                match activation {
                    Some(function) => ops::activate(y, function),
                    None => y,
                }
            }
        }
    }
}

impl Sequential {
    /// Applies the layers for a reader of the class token alone. If the last is the block of a transformer, there is no
    /// other token in its output.
    fn run_class_token(&self, x: Tensor<4>) -> Tensor<4> {
        match self.children.as_slice() {
            [before @ .., (_, Layer::TransformerBlock(last))] => {
                last.run_class_token(run(before, x))
            }
            all => run(all, x),
        }
    }
}

fn run(mut rest: &[(String, Layer)], mut x: Tensor<4>) -> Tensor<4> {
    while let [(_, first), after @ ..] = rest {
        let activation_at = |i: usize| rest.get(i).and_then(|(_, layer)| layer.activation());
        let taken;
        (x, taken) = match (first, after) {
            (Layer::Conv2d(conv), [(_, Layer::BatchNorm(norm)), ..]) => {
                let activation = activation_at(2);
                let taken = 2 + usize::from(activation.is_some());
                (conv.run_with(x, norm, None, activation), taken)
            }
            (Layer::Conv2d(conv), _) => match activation_at(1) {
                Some(activation) => (conv.run_activated(x, activation), 2),
                None => (conv.run(x), 1),
            },
            (Layer::BatchNorm(norm), _) => {
                let activation = activation_at(1);
                let taken = 1 + usize::from(activation.is_some());
                (norm.run(x, None, activation), taken)
            }
            (Layer::Sequential(blocks), [(_, Layer::LayerNorm(_)), (_, Layer::ClassToken), ..]) => {
                (blocks.run_class_token(x), 1)
            }
            (layer, _) => (layer.run(x), 1),
        };
        rest = &rest[taken..];
    }
    x
}

const CONTAINER: &str = "Struct:Sequential";

impl Sequential {
    /// The layers with all dropout disabled.
    pub(crate) fn without_dropout(self) -> Self {
        self.map_layers(Layer::without_dropout)
    }

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
            if layer.has_level() {
                visitor.enter_module(name, CONTAINER);
                layer.visit(visitor);
                visitor.exit_module(name, CONTAINER);
            } else {
                layer.visit(visitor);
            }
        }
    }

    fn map<M: ModuleMapper>(self, mapper: &mut M) -> Self {
        let children = self.children.into_iter().map(|(name, layer)| {
            if !layer.has_level() {
                return (name, layer.map(mapper));
            }
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
