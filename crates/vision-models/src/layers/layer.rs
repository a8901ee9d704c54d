use burn::module::{Devices, Module, ModuleMapper, ModuleVisitor};
use burn::tensor::{Device, Tensor};
use vision_kernels::ops::{self, Activation};

use super::{
    AdaptiveAvgPool2d, AdaptiveConcatPool2d, AvgPool2d, BatchNorm, Conv2d, DOWNSAMPLE, Dropout,
    Gate, LayerNorm, Linear, MaxPool2d, Pooled, Sequential, Shortcut, Tokens, channels_last,
    class_token, flatten,
};
use crate::arch::convnext::ConvNextBlock;
use crate::arch::densenet::DenseLayer;
use crate::arch::mobilenet::InvertedResidual;
use crate::arch::resnet::{BasicBlock, Bottleneck};
use crate::arch::squeezenet::Fire;
use crate::arch::vit::TransformerBlock;
use crate::arch::xresnet::XResBlock;

/// A layer of a backbone or head.
///
/// Every layer maps `[batch, channels, height, width]` to the same rank. After [`Layer::Flatten`]
/// height and width are 1, so batch norm, dropout and linear layers need no second form.
///
/// The variant of a layer is not part of its parameters' paths (Burn's derive would add it): the
/// path `layer1.0.conv1.weight` is the name in PyTorch.
#[derive(Clone, Debug)]
#[non_exhaustive]
#[allow(clippy::large_enum_variant)] // a few hundred bytes a layer, beside megabytes of weights
pub enum Layer {
    /// A convolution.
    Conv2d(Conv2d),
    /// A batch normalization, of maps or of flat features.
    BatchNorm(BatchNorm),
    /// max(x, 0).
    Relu,
    /// min(max(x, 0), 6).
    Relu6,
    /// Another function of each value.
    Activation(Activation),
    /// Maximum pooling.
    MaxPool2d(MaxPool2d),
    /// Mean pooling.
    AvgPool2d(AvgPool2d),
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
    /// Layers in sequence.
    Sequential(Sequential),
    /// The mean over the image, then a layer.
    Pooled(Pooled),
    /// Layers whose output is added to their input.
    Shortcut(Shortcut),
    /// Squeeze and excitation.
    Gate(Gate),
    /// The two-convolution residual block of ResNet-18 and 34.
    BasicBlock(BasicBlock),
    /// The three-convolution residual block of ResNet-50, 101 and 152.
    Bottleneck(Bottleneck),
    /// SqueezeNet's module.
    Fire(Fire),
    /// DenseNet's layer, which appends its output to its input.
    DenseLayer(DenseLayer),
    /// MobileNet V2's block.
    InvertedResidual(InvertedResidual),
    /// The residual block of fastai's xresnets.
    XResBlock(XResBlock),
    /// A normalization of the channels of each pixel or token.
    LayerNorm(LayerNorm),
    /// ConvNeXt's block.
    ConvNextBlock(ConvNextBlock),
    /// Maps of patches to the tokens of a vision transformer, `[batch, channels, 1, tokens]`.
    Tokens(Tokens),
    /// The block of a transformer.
    TransformerBlock(TransformerBlock),
    /// The first token: `[batch, channels, 1, tokens]` to `[batch, channels, 1, 1]`.
    ClassToken,
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
            Self::BatchNorm(layer) => layer.run(x, None, None),
            Self::Relu => ops::relu(x),
            Self::Relu6 => ops::relu6(x),
            Self::Activation(function) => ops::activate(x, *function),
            Self::MaxPool2d(layer) => layer.run(x),
            Self::AvgPool2d(layer) => layer.run(x),
            Self::AdaptiveAvgPool2d(layer) => layer.run(x),
            Self::AdaptiveConcatPool2d(_) => ops::concat_pool(x),
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
            Self::Pooled(layer) => layer.run(x),
            Self::Shortcut(layer) => layer.run(x),
            Self::Gate(layer) => layer.run(x),
            Self::BasicBlock(layer) => layer.run(x),
            Self::Bottleneck(layer) => layer.run(x),
            Self::Fire(layer) => layer.run(x),
            Self::DenseLayer(layer) => layer.run(x),
            Self::InvertedResidual(layer) => layer.run(x),
            Self::XResBlock(layer) => layer.run(x),
            Self::LayerNorm(layer) => layer.run(x),
            Self::ConvNextBlock(layer) => layer.run(x),
            Self::Tokens(layer) => layer.run(x),
            Self::TransformerBlock(layer) => layer.run(x),
            Self::ClassToken => class_token(x),
        }
    }

    /// The activation function that the layer is, if any.
    pub(crate) fn activation(&self) -> Option<Activation> {
        match self {
            Self::Relu => Some(Activation::Relu),
            Self::Relu6 => Some(Activation::Relu6),
            Self::Activation(function) => Some(*function),
            _ => None,
        }
    }

    /// Whether its parameters have a level of their own in the names of a sequence.
    pub(super) fn has_level(&self) -> bool {
        !matches!(self, Self::Tokens(_))
    }

    /// Whether the layer is, or contains at any depth, a pooling layer.
    pub fn has_pool(&self) -> bool {
        match self {
            Self::MaxPool2d(_)
            | Self::AvgPool2d(_)
            | Self::AdaptiveAvgPool2d(_)
            | Self::AdaptiveConcatPool2d(_) => true,
            Self::Sequential(layer) => layer.layers().any(Self::has_pool),
            // Its mean is not a module in torchvision.
            Self::Pooled(layer) => layer.layer().has_pool(),
            Self::Shortcut(layer) => {
                let downsample = layer.downsample().into_iter();
                let mut layers = layer
                    .layers()
                    .layers()
                    .chain(downsample.flat_map(Sequential::layers));
                layers.any(Self::has_pool)
            }
            Self::XResBlock(layer) => layer.has_pool(),
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
            Self::Pooled(layer) => layer.layer().out_channels(),
            Self::Shortcut(layer) => layer.layers().out_channels(),
            Self::BasicBlock(layer) => Some(layer.out_channels()),
            Self::Bottleneck(layer) => Some(layer.out_channels()),
            Self::Fire(layer) => Some(layer.out_channels()),
            Self::DenseLayer(layer) => Some(layer.out_channels()),
            Self::InvertedResidual(layer) => layer.out_channels(),
            Self::XResBlock(layer) => layer.out_channels(),
            Self::LayerNorm(layer) => Some(layer.channels()),
            Self::ConvNextBlock(layer) => Some(layer.out_channels()),
            Self::Tokens(layer) => Some(layer.sizes()[0]),
            Self::TransformerBlock(layer) => Some(layer.out_channels()),
            _ => None,
        }
    }

    /// Appends the names of the leaf modules, in order, as fastai's `flatten_model` lists them.
    pub(crate) fn leaves(&self, name: &str, out: &mut Vec<String>) {
        let mut add = |parts: &[&str]| out.extend(parts.iter().map(|p| format!("{name}.{p}")));
        match self {
            Self::Sequential(layer) => layer.leaves_under(name, out),
            Self::Pooled(layer) => layer.layer().leaves(name, out),
            Self::Shortcut(layer) => {
                layer.layers().leaves_under(name, out);
                if let Some(layers) = layer.downsample() {
                    layers.leaves_under(&format!("{name}.{DOWNSAMPLE}"), out);
                }
            }
            Self::Gate(layer) => layer.layers().leaves_under(name, out),
            Self::BasicBlock(layer) => add(layer.leaves()),
            Self::Bottleneck(layer) => add(layer.leaves()),
            Self::Fire(_) => add(&Fire::LEAVES),
            Self::DenseLayer(_) => add(&DenseLayer::LEAVES),
            Self::InvertedResidual(layer) => layer.leaves_under(name, out),
            Self::XResBlock(layer) => layer.leaves_under(name, out),
            Self::ConvNextBlock(layer) => layer.leaves_under(name, out),
            Self::TransformerBlock(layer) => layer.leaves_under(name, out),
            Self::AdaptiveConcatPool2d(_) => add(&["ap", "mp"]),
            _ => out.push(name.to_owned()),
        }
    }

    /// The layer with all dropout disabled.
    pub(crate) fn without_dropout(self) -> Self {
        match self {
            Self::Dropout(layer) => Self::Dropout(layer.with_p(0.0)),
            Self::Sequential(layer) => Self::Sequential(layer.without_dropout()),
            Self::Pooled(layer) => Self::Pooled(layer.map_layer(Self::without_dropout)),
            Self::Shortcut(layer) => Self::Shortcut(layer.map_layers(Sequential::without_dropout)),
            Self::Gate(layer) => Self::Gate(layer.map_layers(Sequential::without_dropout)),
            other => other,
        }
    }
}

/// Evaluates an expression for the module in a layer; `$none` is for layers without a module.
macro_rules! with_inner {
    ($layer:expr, $inner:ident => $some:expr, $none:expr) => {
        match $layer {
            Layer::Conv2d($inner) => $some,
            Layer::BatchNorm($inner) => $some,
            Layer::Dropout($inner) => $some,
            Layer::Linear($inner) => $some,
            Layer::Sequential($inner) => $some,
            Layer::Pooled($inner) => $some,
            Layer::Shortcut($inner) => $some,
            Layer::Gate($inner) => $some,
            Layer::BasicBlock($inner) => $some,
            Layer::Bottleneck($inner) => $some,
            Layer::Fire($inner) => $some,
            Layer::DenseLayer($inner) => $some,
            Layer::InvertedResidual($inner) => $some,
            Layer::XResBlock($inner) => $some,
            Layer::LayerNorm($inner) => $some,
            Layer::ConvNextBlock($inner) => $some,
            Layer::Tokens($inner) => $some,
            Layer::TransformerBlock($inner) => $some,
            Layer::Relu
            | Layer::Relu6
            | Layer::Activation(_)
            | Layer::Flatten
            | Layer::MaxPool2d(_)
            | Layer::AvgPool2d(_)
            | Layer::AdaptiveAvgPool2d(_)
            | Layer::AdaptiveConcatPool2d(_)
            | Layer::ClassToken => $none,
        }
    };
}

/// The same for a change that returns a layer of the same variant.
macro_rules! map_inner {
    ($layer:expr, $inner:ident => $some:expr) => {
        match $layer {
            Layer::Conv2d($inner) => Layer::Conv2d($some),
            Layer::BatchNorm($inner) => Layer::BatchNorm($some),
            Layer::Dropout($inner) => Layer::Dropout($some),
            Layer::Linear($inner) => Layer::Linear($some),
            Layer::Sequential($inner) => Layer::Sequential($some),
            Layer::Pooled($inner) => Layer::Pooled($some),
            Layer::Shortcut($inner) => Layer::Shortcut($some),
            Layer::Gate($inner) => Layer::Gate($some),
            Layer::BasicBlock($inner) => Layer::BasicBlock($some),
            Layer::Bottleneck($inner) => Layer::Bottleneck($some),
            Layer::Fire($inner) => Layer::Fire($some),
            Layer::DenseLayer($inner) => Layer::DenseLayer($some),
            Layer::InvertedResidual($inner) => Layer::InvertedResidual($some),
            Layer::XResBlock($inner) => Layer::XResBlock($some),
            Layer::LayerNorm($inner) => Layer::LayerNorm($some),
            Layer::ConvNextBlock($inner) => Layer::ConvNextBlock($some),
            Layer::Tokens($inner) => Layer::Tokens($some),
            Layer::TransformerBlock($inner) => Layer::TransformerBlock($some),
            Layer::ClassToken => Layer::ClassToken,
            Layer::Relu => Layer::Relu,
            Layer::Relu6 => Layer::Relu6,
            Layer::Activation(function) => Layer::Activation(function.to_owned()),
            Layer::Flatten => Layer::Flatten,
            Layer::MaxPool2d(pool) => Layer::MaxPool2d(pool.to_owned()),
            Layer::AvgPool2d(pool) => Layer::AvgPool2d(pool.to_owned()),
            Layer::AdaptiveAvgPool2d(pool) => Layer::AdaptiveAvgPool2d(pool.to_owned()),
            Layer::AdaptiveConcatPool2d(pool) => Layer::AdaptiveConcatPool2d(pool.to_owned()),
        }
    };
}

// Not derived: the derive would add the variant's name and an index to the path.
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
