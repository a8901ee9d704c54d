//! Builds layers from their settings, which are checked.

use burn::tensor::Device;

use super::spec::{Children, Conv, Function, MeanPool, Mlp, Norm, PixelNorm, Pointwise, Spec};
use crate::arch::convnext::ConvNextBlock;
use crate::arch::densenet::DenseLayer;
use crate::arch::mobilenet::InvertedResidual;
use crate::arch::resnet::{BasicBlock, Bottleneck};
use crate::arch::squeezenet::Fire;
use crate::arch::vit::{Attention, TransformerBlock};
use crate::arch::xresnet::XResBlock;
use crate::layers::{
    self, Activation, AdaptiveAvgPool2d, AdaptiveConcatPool2d, AvgPool2d, BatchNorm, Conv2d,
    ConvConfig, DropPath, Dropout, Gate, Layer, LayerNorm, LayerScale, Linear, MaxPool2d, Pooled,
    Sequential, Shortcut, Tokens,
};
use crate::{Init, WeightInit};

pub(super) fn children(children: &Children, device: &Device) -> Sequential {
    Builder(Init::zeroed(device)).sequential(children)
}

struct Builder(Init);

impl Builder {
    fn sequential(&mut self, children: &Children) -> Sequential {
        let mut layers = Sequential::new();
        for (name, spec) in children {
            let layer = self.layer(spec);
            layers.push(name.clone(), layer);
        }
        layers
    }

    fn maybe(&mut self, children: &Option<Children>) -> Option<Sequential> {
        children.as_ref().map(|children| self.sequential(children))
    }

    fn conv(&mut self, conv: &Conv) -> Conv2d {
        let config = ConvConfig::new(conv.inputs, conv.outputs, conv.kernel)
            .with_stride(conv.stride)
            .with_padding(conv.padding)
            .with_groups(conv.groups);
        let config = if conv.same {
            config.with_same_padding()
        } else {
            config
        };
        let config = if conv.bias {
            config.with_bias()
        } else {
            config
        };
        config.init(&mut self.0)
    }

    fn norm(&self, norm: &Norm) -> BatchNorm {
        BatchNorm::new(norm.channels, &self.0)
            .with_momentum(norm.momentum)
            .with_epsilon(norm.epsilon)
    }

    fn pixel_norm(&self, norm: &PixelNorm) -> LayerNorm {
        LayerNorm::new(norm.channels, &self.0).with_epsilon(norm.epsilon)
    }

    fn pointwise(&mut self, map: &Pointwise) -> layers::Pointwise {
        let sizes = [map.inputs, map.outputs];
        let mut layer = layers::Pointwise::new(sizes, map.conv, WeightInit::PyTorch, &mut self.0);
        if !map.bias {
            match &mut layer {
                layers::Pointwise::Conv(conv) => conv.bias = None,
                layers::Pointwise::Linear(linear) => linear.bias = None,
            }
        }
        layer
    }

    fn linear(&mut self, map: &Pointwise) -> Linear {
        let mut linear = Linear::new(map.inputs, map.outputs, &mut self.0);
        if !map.bias {
            linear.bias = None;
        }
        linear
    }

    fn mlp(&mut self, mlp: &Mlp) -> layers::Mlp {
        let layer = layers::Mlp {
            fc1: self.pointwise(&mlp.fc1),
            grn: None,
            fc2: self.pointwise(&mlp.fc2),
        };
        match mlp.grn {
            true => layer.with_response_norm(&self.0),
            false => layer,
        }
    }

    fn drop_path(&self, p: Option<f64>) -> Option<DropPath> {
        DropPath::new(p?, self.0.dropout())
    }

    fn layer(&mut self, spec: &Spec) -> Layer {
        match spec {
            Spec::Conv2d(conv) => Layer::Conv2d(self.conv(conv)),
            Spec::BatchNorm(norm) => Layer::BatchNorm(self.norm(norm)),
            Spec::Relu => Layer::Relu,
            Spec::Relu6 => Layer::Relu6,
            Spec::Activation(function) => Layer::Activation(activation(*function)),
            Spec::MaxPool2d {
                kernel,
                stride,
                padding,
                ceil,
            } => {
                let pool = MaxPool2d::new(*kernel, *stride, *padding);
                Layer::MaxPool2d(if *ceil { pool.with_ceil_mode() } else { pool })
            }
            Spec::AvgPool2d(pool) => Layer::AvgPool2d(mean_pool(*pool)),
            Spec::AdaptiveAvgPool2d { size } => {
                Layer::AdaptiveAvgPool2d(AdaptiveAvgPool2d::new(*size))
            }
            Spec::AdaptiveConcatPool2d => Layer::AdaptiveConcatPool2d(AdaptiveConcatPool2d),
            Spec::Flatten => Layer::Flatten,
            Spec::Dropout { p } => Layer::Dropout(Dropout::new(*p, self.0.dropout())),
            Spec::Linear {
                inputs,
                outputs,
                bias,
            } => {
                let mut linear = Linear::new(*inputs, *outputs, &mut self.0);
                if !bias {
                    linear.bias = None;
                }
                Layer::Linear(linear)
            }
            Spec::Sequential(children) => Layer::Sequential(self.sequential(children)),
            Spec::Pooled { relu, then } => {
                let pooled = Pooled::new(self.layer(then));
                Layer::Pooled(if *relu { pooled.with_relu() } else { pooled })
            }
            Spec::Shortcut(children) => Layer::Shortcut(Shortcut::new(self.sequential(children))),
            Spec::Residual {
                layers,
                downsample,
                relu,
            } => {
                let mut shortcut = Shortcut::new(self.sequential(layers));
                if let Some(layers) = self.maybe(downsample) {
                    shortcut = shortcut.with_downsample(layers);
                }
                Layer::Shortcut(if *relu {
                    shortcut.with_relu()
                } else {
                    shortcut
                })
            }
            Spec::Gate(children) => Layer::Gate(Gate::new(self.sequential(children))),
            Spec::BasicBlock {
                conv1,
                bn1,
                conv2,
                bn2,
                downsample,
            } => Layer::BasicBlock(BasicBlock {
                conv1: self.conv(conv1),
                bn1: self.norm(bn1),
                conv2: self.conv(conv2),
                bn2: self.norm(bn2),
                downsample: self.maybe(downsample),
            }),
            Spec::Bottleneck {
                conv1,
                bn1,
                conv2,
                bn2,
                conv3,
                bn3,
                downsample,
            } => Layer::Bottleneck(Bottleneck {
                conv1: self.conv(conv1),
                bn1: self.norm(bn1),
                conv2: self.conv(conv2),
                bn2: self.norm(bn2),
                conv3: self.conv(conv3),
                bn3: self.norm(bn3),
                downsample: self.maybe(downsample),
            }),
            Spec::Fire {
                squeeze,
                expand1x1,
                expand3x3,
            } => Layer::Fire(Fire {
                squeeze: self.conv(squeeze),
                expand1x1: self.conv(expand1x1),
                expand3x3: self.conv(expand3x3),
            }),
            Spec::DenseLayer {
                norm1,
                conv1,
                norm2,
                conv2,
            } => Layer::DenseLayer(DenseLayer {
                norm1: self.norm(norm1),
                conv1: self.conv(conv1),
                norm2: self.norm(norm2),
                conv2: self.conv(conv2),
            }),
            Spec::InvertedResidual { conv, shortcut } => {
                Layer::InvertedResidual(InvertedResidual {
                    conv: self.sequential(conv),
                    shortcut: *shortcut,
                })
            }
            Spec::XResBlock {
                convs,
                idconv,
                pool,
            } => Layer::XResBlock(XResBlock {
                convs: self.sequential(convs),
                idconv: self.maybe(idconv),
                pool: pool.map(mean_pool),
            }),
            Spec::LayerNorm(norm) => Layer::LayerNorm(self.pixel_norm(norm)),
            Spec::ConvNextBlock {
                conv_dw,
                norm,
                mlp,
                scale,
                drop_path,
            } => Layer::ConvNextBlock(ConvNextBlock {
                gamma: scale.then(|| self.0.zeros([norm.channels])),
                conv_dw: self.conv(conv_dw),
                norm: self.pixel_norm(norm),
                mlp: self.mlp(mlp),
                drop_path: self.drop_path(*drop_path),
            }),
            Spec::Tokens {
                channels,
                grid,
                class,
            } => Layer::Tokens(Tokens::new(*channels, *grid, *class, &mut self.0)),
            Spec::TransformerBlock {
                norm1,
                heads,
                qkv,
                proj,
                norm2,
                mlp,
                scale,
                drop_path,
            } => {
                let factor = |builder: &Self| {
                    let gamma = builder.0.zeros([norm1.channels]);
                    scale.then_some(LayerScale { gamma })
                };
                Layer::TransformerBlock(TransformerBlock {
                    norm1: self.pixel_norm(norm1),
                    attn: Attention {
                        qkv: self.linear(qkv),
                        proj: self.linear(proj),
                        heads: *heads,
                    },
                    ls1: factor(self),
                    drop_path1: self.drop_path(*drop_path),
                    norm2: self.pixel_norm(norm2),
                    mlp: self.mlp(mlp),
                    ls2: factor(self),
                    drop_path2: self.drop_path(*drop_path),
                })
            }
            Spec::ClassToken => Layer::ClassToken,
        }
    }
}

fn activation(function: Function) -> Activation {
    match function {
        Function::Silu => Activation::Silu,
        Function::HardSwish => Activation::HardSwish,
        Function::HardSigmoid => Activation::HardSigmoid,
        Function::Sigmoid => Activation::Sigmoid,
        Function::Gelu => Activation::Gelu,
    }
}

fn mean_pool(pool: MeanPool) -> AvgPool2d {
    let layer = AvgPool2d::new(pool.size);
    if pool.ceil {
        layer.with_ceil_mode()
    } else {
        layer
    }
}
