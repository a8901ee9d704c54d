//! Reads the settings of layers.

use super::spec::{Children, Conv, Function, MeanPool, Mlp, Norm, PixelNorm, Pointwise, Spec};
use crate::layers::{
    self, Activation, AvgPool2d, BatchNorm, Conv2d, DropPath, Layer, LayerNorm, Linear, Sequential,
};

pub(super) fn children(layers: &Sequential) -> Children {
    let children = layers.children();
    children
        .map(|(name, layer)| (name.to_owned(), spec(layer)))
        .collect()
}

fn conv(layer: &Conv2d) -> Conv {
    let [outputs, inputs, kernel, _] = layer.weight.lazy_shape()[..] else {
        unreachable!("the weight of a convolution has four dimensions");
    };
    Conv {
        inputs: inputs * layer.groups,
        outputs,
        kernel,
        stride: layer.stride,
        padding: layer.padding,
        same: layer.same,
        groups: layer.groups,
        bias: layer.bias.is_some(),
    }
}

fn norm(layer: &BatchNorm) -> Norm {
    Norm {
        channels: layer.weight.lazy_shape()[0],
        momentum: layer.momentum(),
        epsilon: layer.epsilon(),
    }
}

fn pixel_norm(layer: &LayerNorm) -> PixelNorm {
    PixelNorm {
        channels: layer.channels(),
        epsilon: layer.epsilon(),
    }
}

fn pointwise(layer: &layers::Pointwise) -> Pointwise {
    let [inputs, outputs] = layer.sizes();
    let (bias, conv) = match layer {
        layers::Pointwise::Conv(conv) => (conv.bias.is_some(), true),
        layers::Pointwise::Linear(linear) => (linear.bias.is_some(), false),
    };
    Pointwise {
        inputs,
        outputs,
        bias,
        conv,
    }
}

fn linear(layer: &Linear) -> Pointwise {
    let shape = layer.weight.lazy_shape();
    Pointwise {
        inputs: shape[1],
        outputs: shape[0],
        bias: layer.bias.is_some(),
        conv: false,
    }
}

fn mlp(layer: &layers::Mlp) -> Mlp {
    Mlp {
        fc1: pointwise(&layer.fc1),
        grn: layer.grn.is_some(),
        fc2: pointwise(&layer.fc2),
    }
}

fn mean_pool(layer: &AvgPool2d) -> MeanPool {
    MeanPool {
        size: layer.size,
        ceil: layer.ceil_mode,
    }
}

fn activation(function: Activation) -> Spec {
    let function = match function {
        Activation::Relu => return Spec::Relu,
        Activation::Relu6 => return Spec::Relu6,
        Activation::Silu => Function::Silu,
        Activation::HardSwish => Function::HardSwish,
        Activation::HardSigmoid => Function::HardSigmoid,
        Activation::Sigmoid => Function::Sigmoid,
        Activation::Gelu => Function::Gelu,
    };
    Spec::Activation(function)
}

/// A new kind of layer is added here, in `build`, `check` and `parameters`: the compiler says so.
fn spec(layer: &Layer) -> Spec {
    match layer {
        Layer::Conv2d(layer) => Spec::Conv2d(conv(layer)),
        Layer::BatchNorm(layer) => Spec::BatchNorm(norm(layer)),
        Layer::Relu => Spec::Relu,
        Layer::Relu6 => Spec::Relu6,
        Layer::Activation(function) => activation(*function),
        Layer::MaxPool2d(pool) => Spec::MaxPool2d {
            kernel: pool.kernel_size,
            stride: pool.stride,
            padding: pool.padding,
            ceil: pool.ceil_mode,
        },
        Layer::AvgPool2d(pool) => Spec::AvgPool2d(mean_pool(pool)),
        Layer::AdaptiveAvgPool2d(pool) => Spec::AdaptiveAvgPool2d { size: pool.size },
        Layer::AdaptiveConcatPool2d(_) => Spec::AdaptiveConcatPool2d,
        Layer::Flatten => Spec::Flatten,
        Layer::Dropout(layer) => Spec::Dropout { p: layer.p() },
        Layer::Linear(layer) => {
            let shape = layer.weight.lazy_shape();
            Spec::Linear {
                inputs: shape[1],
                outputs: shape[0],
                bias: layer.bias.is_some(),
            }
        }
        Layer::Sequential(layers) => Spec::Sequential(children(layers)),
        Layer::Pooled(pooled) => Spec::Pooled {
            relu: pooled.relu,
            then: Box::new(spec(pooled.layer())),
        },
        Layer::Shortcut(shortcut) => match (shortcut.downsample(), shortcut.relu()) {
            (None, false) => Spec::Shortcut(children(shortcut.layers())),
            (downsample, relu) => Spec::Residual {
                layers: children(shortcut.layers()),
                downsample: downsample.map(children),
                relu,
            },
        },
        Layer::Gate(gate) => Spec::Gate(children(gate.layers())),
        Layer::BasicBlock(block) => Spec::BasicBlock {
            conv1: conv(&block.conv1),
            bn1: norm(&block.bn1),
            conv2: conv(&block.conv2),
            bn2: norm(&block.bn2),
            downsample: block.downsample.as_ref().map(children),
        },
        Layer::Bottleneck(block) => Spec::Bottleneck {
            conv1: conv(&block.conv1),
            bn1: norm(&block.bn1),
            conv2: conv(&block.conv2),
            bn2: norm(&block.bn2),
            conv3: conv(&block.conv3),
            bn3: norm(&block.bn3),
            downsample: block.downsample.as_ref().map(children),
        },
        Layer::Fire(block) => Spec::Fire {
            squeeze: conv(&block.squeeze),
            expand1x1: conv(&block.expand1x1),
            expand3x3: conv(&block.expand3x3),
        },
        Layer::DenseLayer(block) => Spec::DenseLayer {
            norm1: norm(&block.norm1),
            conv1: conv(&block.conv1),
            norm2: norm(&block.norm2),
            conv2: conv(&block.conv2),
        },
        Layer::InvertedResidual(block) => Spec::InvertedResidual {
            conv: children(&block.conv),
            shortcut: block.shortcut,
        },
        Layer::XResBlock(block) => Spec::XResBlock {
            convs: children(&block.convs),
            idconv: block.idconv.as_ref().map(children),
            pool: block.pool.as_ref().map(mean_pool),
        },
        Layer::LayerNorm(layer) => Spec::LayerNorm(pixel_norm(layer)),
        Layer::ConvNextBlock(block) => Spec::ConvNextBlock {
            conv_dw: conv(&block.conv_dw),
            norm: pixel_norm(&block.norm),
            mlp: mlp(&block.mlp),
            scale: block.gamma.is_some(),
            drop_path: block.drop_path.as_ref().map(DropPath::p),
        },
        Layer::Tokens(layer) => {
            let [channels, grid] = layer.sizes();
            Spec::Tokens {
                channels,
                grid,
                class: layer.class(),
            }
        }
        Layer::TransformerBlock(block) => Spec::TransformerBlock {
            norm1: pixel_norm(&block.norm1),
            heads: block.attn.heads,
            qkv: linear(&block.attn.qkv),
            proj: linear(&block.attn.proj),
            norm2: pixel_norm(&block.norm2),
            mlp: mlp(&block.mlp),
            scale: block.ls1.is_some(),
            drop_path: block.drop_path1.as_ref().map(DropPath::p),
        },
        Layer::ClassToken => Spec::ClassToken,
    }
}
