//! Lowering of layers to ONNX nodes: one short method per kind of layer.

use std::collections::BTreeSet;

use super::proto::{Attribute, Node};
use crate::arch::densenet::DenseLayer;
use crate::arch::mobilenet::InvertedResidual;
use crate::arch::resnet::{BasicBlock, Bottleneck};
use crate::arch::squeezenet::Fire;
use crate::arch::xresnet::XResBlock;
use crate::layers::{
    Activation, AvgPool2d, BatchNorm, Conv2d, DOWNSAMPLE, Layer, Linear, SamePadding, Sequential,
};
use crate::state::NamedTensor;

/// A value in the graph, between two layers.
#[derive(Clone, Debug)]
pub(super) struct Value {
    pub(super) name: String,
    /// Number of channels or features, if known.
    pub(super) channels: Option<usize>,
    /// Height and width, if known.
    pub(super) size: Option<[usize; 2]>,
    /// Whether the shape is `[batch, features]` instead of `[batch, channels, height, width]`.
    pub(super) flat: bool,
    /// Whether the shape is `[batch, tokens, channels]`, with the number of tokens as width.
    pub(super) tokens: bool,
}

/// Why a network cannot be exported: the layer's path and the reason.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) layer: String,
    pub(super) reason: String,
}

pub(super) type Lowered = Result<Value, Refusal>;

/// Builds nodes from layers.
#[derive(Debug, Default)]
pub(super) struct Lowering {
    pub(super) nodes: Vec<Node>,
    pub(super) names: BTreeSet<String>,
    /// Only the structure of the graph is needed: layers that depend on the image size are written
    /// without it.
    pub(super) structure_only: bool,
    /// Values that were computed for the size of the images, and the parameters that they replace.
    pub(super) computed: Vec<(NamedTensor, String)>,
}

/// Joins `layer1.0` and `conv1` to `layer1.0.conv1`.
pub(super) fn join(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}

fn square(value: usize) -> Attribute {
    Attribute::Ints(vec![value as i64; 2])
}

/// Padding at the start of both axes, then at their end.
fn pads(value: usize) -> Attribute {
    Attribute::Ints(vec![value as i64; 4])
}

impl Lowering {
    /// Appends a node with one output of the same name: the path with slashes, which no parameter
    /// name contains.
    pub(super) fn node<const N: usize>(
        &mut self,
        op: &str,
        path: &str,
        inputs: &[&str],
        attributes: [(&str, Attribute); N],
    ) -> Result<String, Refusal> {
        let name = format!("/{}", path.replace('.', "/"));
        if !self.names.insert(name.clone()) {
            return Err(Refusal {
                layer: path.to_owned(),
                reason: "has the same name as another layer".into(),
            });
        }
        self.nodes.push(Node {
            op: op.to_owned(),
            name: name.clone(),
            inputs: inputs.iter().map(|&i| i.to_owned()).collect(),
            outputs: vec![name.clone()],
            attributes: attributes.map(|(n, a)| (n.to_owned(), a)).into(),
        });
        Ok(name)
    }

    /// Appends a node that keeps rank and size.
    fn same(&mut self, op: &str, path: &str, x: Value) -> Lowered {
        let name = self.node(op, path, &[&x.name], [])?;
        Ok(Value { name, ..x })
    }

    /// Appends a node that pools the whole image to one value.
    fn global(&mut self, op: &str, path: &str, x: &Value) -> Lowered {
        Ok(Value {
            name: self.node(op, path, &[&x.name], [])?,
            channels: x.channels,
            size: Some([1, 1]),
            flat: false,
            tokens: false,
        })
    }

    /// Appends any layer. A new kind of layer is added only here.
    pub(super) fn layer(&mut self, path: &str, layer: &Layer, x: Value) -> Lowered {
        let takes_tokens = matches!(
            layer,
            Layer::LayerNorm(_)
                | Layer::TransformerBlock(_)
                | Layer::ClassToken
                | Layer::Sequential(_)
                | Layer::Dropout(_)
        );
        let x = match takes_tokens {
            true => x,
            false => self.maps(path, x)?,
        };
        match layer {
            Layer::Conv2d(layer) => self.conv(path, layer, x),
            Layer::BatchNorm(layer) => self.batch_norm(path, layer, x),
            Layer::Relu => self.same("Relu", path, x),
            Layer::Relu6 => self.relu6(path, x),
            Layer::Activation(function) => self.activation(path, *function, x),
            Layer::MaxPool2d(pool) => {
                let (k, s, p) = (pool.kernel_size, pool.stride, pool.padding);
                let attributes = [
                    ("kernel_shape", square(k)),
                    ("strides", square(s)),
                    ("pads", pads(p)),
                    ("ceil_mode", Attribute::Int(i64::from(pool.ceil_mode))),
                ];
                let name = self.node("MaxPool", path, &[&x.name], attributes)?;
                Ok(Value {
                    name,
                    size: windows(x.size, [k, s, p], pool.ceil_mode),
                    ..x
                })
            }
            Layer::AvgPool2d(pool) => self.avg_pool(path, pool, x),
            Layer::AdaptiveAvgPool2d(pool) => self.adaptive_avg_pool(path, pool.size, x),
            Layer::AdaptiveConcatPool2d(_) => {
                let max = self.global("GlobalMaxPool", &join(path, "mp"), &x)?;
                let mean = self.global("GlobalAveragePool", &join(path, "ap"), &x)?;
                let axis = [("axis", Attribute::Int(1))];
                let name = self.node("Concat", path, &[&max.name, &mean.name], axis)?;
                let channels = mean.channels.map(|c| 2 * c);
                Ok(Value {
                    name,
                    channels,
                    ..mean
                })
            }
            Layer::Flatten => self.flatten(path, x),
            // It does nothing at inference.
            Layer::Dropout(_) => Ok(x),
            Layer::Linear(layer) => self.linear(path, layer, x),
            Layer::Sequential(layers) => self.sequential(path, layers, x),
            Layer::Pooled(pooled) => {
                let x = if pooled.relu {
                    self.same("Relu", &join(path, "relu"), x)?
                } else {
                    x
                };
                let x = self.global("GlobalAveragePool", &join(path, "avgpool"), &x)?;
                self.layer(path, pooled.layer(), x)
            }
            Layer::Shortcut(shortcut) => {
                let y = self.sequential(path, shortcut.layers(), x.clone())?;
                let x = match shortcut.downsample() {
                    Some(layers) => self.sequential(&join(path, DOWNSAMPLE), layers, x)?,
                    None => x,
                };
                let name = self.node("Add", path, &[&x.name, &y.name], [])?;
                let sum = Value { name, ..y };
                if shortcut.relu() {
                    return self.same("Relu", &join(path, "relu"), sum);
                }
                Ok(sum)
            }
            Layer::Gate(gate) => {
                let mean = self.global("GlobalAveragePool", &join(path, "avgpool"), &x)?;
                let factors = self.sequential(path, gate.layers(), mean)?;
                if factors.flat {
                    return Err(Refusal {
                        layer: path.to_owned(),
                        reason: "computes its factors with a fully connected layer: use convolutions of one pixel".into(),
                    });
                }
                let name = self.node("Mul", path, &[&x.name, &factors.name], [])?;
                Ok(Value { name, ..x })
            }
            Layer::BasicBlock(block) => self.basic_block(path, block, x),
            Layer::Bottleneck(block) => self.bottleneck(path, block, x),
            Layer::Fire(block) => self.fire(path, block, x),
            Layer::DenseLayer(block) => self.dense_layer(path, block, x),
            Layer::InvertedResidual(block) => self.inverted_residual(path, block, x),
            Layer::XResBlock(block) => self.xres_block(path, block, x),
            Layer::LayerNorm(layer) => self.layer_norm(path, layer, x),
            Layer::ConvNextBlock(block) => self.conv_next_block(path, block, x),
            Layer::Tokens(layer) => self.tokens(path, path, layer, x),
            Layer::TransformerBlock(block) => self.transformer_block(path, block, x),
            Layer::ClassToken => self.class_token(path, x),
        }
    }

    pub(super) fn sequential(&mut self, path: &str, layers: &Sequential, x: Value) -> Lowered {
        layers
            .children()
            .try_fold(x, |x, (name, layer)| match layer {
                // Its parameters have no level of their own.
                Layer::Tokens(layer) => self.tokens(&join(path, name), path, layer, x),
                _ => self.layer(&join(path, name), layer, x),
            })
    }

    pub(super) fn conv(&mut self, path: &str, layer: &Conv2d, x: Value) -> Lowered {
        let [channels, _, k, _] = layer.weight.lazy_shape()[..] else {
            return Err(Refusal {
                layer: path.to_owned(),
                reason: "has a weight that is not of rank 4".into(),
            });
        };
        let weight = join(path, "weight");
        let bias = join(path, "bias");
        let mut inputs = vec![x.name.as_str(), &weight];
        if layer.bias.is_some() {
            inputs.push(&bias);
        }
        let padding = if layer.same {
            ("auto_pad", Attribute::Text("SAME_UPPER".to_owned()))
        } else {
            ("pads", pads(layer.padding))
        };
        let attributes = [
            ("kernel_shape", square(k)),
            ("strides", square(layer.stride)),
            padding,
            ("group", Attribute::Int(layer.groups as i64)),
        ];
        Ok(Value {
            name: self.node("Conv", path, &inputs, attributes)?,
            channels: Some(channels),
            size: layer.out_size(k, x.size),
            flat: false,
            tokens: false,
        })
    }

    fn batch_norm(&mut self, path: &str, layer: &BatchNorm, x: Value) -> Lowered {
        let parts = ["weight", "bias", "running_mean", "running_var"].map(|part| join(path, part));
        let mut inputs = vec![x.name.as_str()];
        inputs.extend(parts.iter().map(String::as_str));
        let epsilon = [("epsilon", Attribute::Float(layer.epsilon() as f32))];
        let name = self.node("BatchNormalization", path, &inputs, epsilon)?;
        Ok(Value { name, ..x })
    }

    fn flatten(&mut self, path: &str, x: Value) -> Lowered {
        if x.flat {
            return Ok(x);
        }
        Ok(Value {
            channels: match (x.channels, x.size) {
                (Some(c), Some([h, w])) => Some(c * h * w),
                _ => None,
            },
            name: self.node("Flatten", path, &[&x.name], [("axis", Attribute::Int(1))])?,
            size: None,
            flat: true,
            tokens: false,
        })
    }

    fn linear(&mut self, path: &str, layer: &Linear, x: Value) -> Lowered {
        let x = self.flatten(&join(path, "flatten"), x)?;
        let weight = join(path, "weight");
        let bias = join(path, "bias");
        let mut inputs = vec![x.name.as_str(), &weight];
        if layer.bias.is_some() {
            inputs.push(&bias);
        }
        let name = self.node("Gemm", path, &inputs, [("transB", Attribute::Int(1))])?;
        Ok(Value {
            name,
            channels: layer.weight.lazy_shape().first().copied(),
            ..x
        })
    }

    /// ONNX has no adaptive pool. With a known size that divides evenly it is an ordinary pool.
    fn adaptive_avg_pool(&mut self, path: &str, size: usize, x: Value) -> Lowered {
        if size == 1 || self.structure_only {
            return self.global("GlobalAveragePool", path, &x);
        }
        let refuse = |reason: String| Refusal {
            layer: path.to_owned(),
            reason,
        };
        let Some([h, w]) = x.size else {
            let reason = format!(
                "pools to {size}×{size}, which ONNX cannot express for images of any size: fix the size \
                 (OnnxConfig::with_size)"
            );
            return Err(refuse(reason));
        };
        if size == 0 || h % size != 0 || w % size != 0 || h == 0 || w == 0 {
            let reason = format!(
                "pools {h}×{w} to {size}×{size} with unequal windows: choose an image size \
                 that gives multiples of {size} there"
            );
            return Err(refuse(reason));
        }
        let window = || Attribute::Ints(vec![(h / size) as i64, (w / size) as i64]);
        let attributes = [("kernel_shape", window()), ("strides", window())];
        Ok(Value {
            name: self.node("AveragePool", path, &[&x.name], attributes)?,
            channels: x.channels,
            size: Some([size; 2]),
            flat: false,
            tokens: false,
        })
    }

    /// ONNX has no ReLU6, but a clip between two scalars.
    fn relu6(&mut self, path: &str, x: Value) -> Lowered {
        let [low, high] = [("min", 0.0), ("max", 6.0)].map(|(part, value)| {
            let value = [("value_float", Attribute::Float(value))];
            self.node("Constant", &join(path, part), &[], value)
        });
        let name = self.node("Clip", path, &[&x.name, &low?, &high?], [])?;
        Ok(Value { name, ..x })
    }

    fn activation(&mut self, path: &str, function: Activation, x: Value) -> Lowered {
        let name = match function {
            Activation::Relu => return self.same("Relu", path, x),
            Activation::Relu6 => return self.relu6(path, x),
            Activation::Sigmoid => return self.same("Sigmoid", path, x),
            Activation::HardSwish => return self.same("HardSwish", path, x),
            Activation::HardSigmoid => {
                let slope = [("alpha", Attribute::Float(1.0 / 6.0))];
                self.node("HardSigmoid", path, &[&x.name], slope)?
            }
            Activation::Silu => {
                let factor = self.node("Sigmoid", &join(path, "sigmoid"), &[&x.name], [])?;
                self.node("Mul", path, &[&x.name, &factor], [])?
            }
            // The operator Gelu is younger than this opset: x / 2 (1 + erf(x / √2)).
            Activation::Gelu => {
                let mut number = |part: &str, value: f32| {
                    let value = [("value_float", Attribute::Float(value))];
                    self.node("Constant", &join(path, part), &[], value)
                };
                let root = number("root", std::f32::consts::FRAC_1_SQRT_2)?;
                let (one, half) = (number("one", 1.0)?, number("half", 0.5)?);
                let y = self.node("Mul", &join(path, "scaled"), &[&x.name, &root], [])?;
                let y = self.node("Erf", &join(path, "erf"), &[&y], [])?;
                let y = self.node("Add", &join(path, "sum"), &[&y, &one], [])?;
                let y = self.node("Mul", &join(path, "product"), &[&x.name, &y], [])?;
                self.node("Mul", path, &[&y, &half], [])?
            }
        };
        Ok(Value { name, ..x })
    }

    fn avg_pool(&mut self, path: &str, pool: &AvgPool2d, x: Value) -> Lowered {
        let attributes = [
            ("kernel_shape", square(pool.size)),
            ("strides", square(pool.size)),
            ("ceil_mode", Attribute::Int(i64::from(pool.ceil_mode))),
        ];
        let name = self.node("AveragePool", path, &[&x.name], attributes)?;
        Ok(Value {
            name,
            size: windows(x.size, [pool.size, pool.size, 0], pool.ceil_mode),
            ..x
        })
    }

    /// Concatenates the channels of two maps.
    fn concat(&mut self, path: &str, a: &Value, b: &Value) -> Lowered {
        let axis = [("axis", Attribute::Int(1))];
        Ok(Value {
            name: self.node("Concat", path, &[&a.name, &b.name], axis)?,
            channels: a.channels.zip(b.channels).map(|(a, b)| a + b),
            size: a.size,
            flat: false,
            tokens: false,
        })
    }

    fn fire(&mut self, path: &str, block: &Fire, x: Value) -> Lowered {
        let mut unit = |name: &str, conv, x| {
            let y = self.conv(&join(path, name), conv, x)?;
            self.same("Relu", &join(path, &format!("{name}_activation")), y)
        };
        let x = unit("squeeze", &block.squeeze, x)?;
        let small = unit("expand1x1", &block.expand1x1, x.clone())?;
        let large = unit("expand3x3", &block.expand3x3, x)?;
        self.concat(path, &small, &large)
    }

    fn dense_layer(&mut self, path: &str, block: &DenseLayer, x: Value) -> Lowered {
        let mut y = x.clone();
        let units = [(&block.norm1, &block.conv1), (&block.norm2, &block.conv2)];
        for (i, (norm, conv)) in (1..).zip(units) {
            y = self.batch_norm(&join(path, &format!("norm{i}")), norm, y)?;
            y = self.same("Relu", &join(path, &format!("relu{i}")), y)?;
            y = self.conv(&join(path, &format!("conv{i}")), conv, y)?;
        }
        self.concat(path, &x, &y)
    }

    fn inverted_residual(&mut self, path: &str, block: &InvertedResidual, x: Value) -> Lowered {
        let y = self.sequential(&join(path, "conv"), &block.conv, x.clone())?;
        if !block.shortcut {
            return Ok(y);
        }
        let name = self.node("Add", path, &[&x.name, &y.name], [])?;
        Ok(Value { name, ..y })
    }

    fn xres_block(&mut self, path: &str, block: &XResBlock, x: Value) -> Lowered {
        let y = self.sequential(&join(path, "convs"), &block.convs, x.clone())?;
        let mut shortcut = x;
        if let Some(pool) = &block.pool {
            shortcut = self.avg_pool(&join(path, "pool"), pool, shortcut)?;
        }
        if let Some(projection) = &block.idconv {
            shortcut = self.sequential(&join(path, "idconv"), projection, shortcut)?;
        }
        let sum = self.node("Add", &join(path, "add"), &[&y.name, &shortcut.name], [])?;
        self.same("Relu", &join(path, "relu"), Value { name: sum, ..y })
    }

    fn basic_block(&mut self, path: &str, block: &BasicBlock, x: Value) -> Lowered {
        let main = [(&block.conv1, &block.bn1), (&block.conv2, &block.bn2)];
        self.residual(path, &main, block.downsample.as_ref(), x)
    }

    fn bottleneck(&mut self, path: &str, block: &Bottleneck, x: Value) -> Lowered {
        let main = [
            (&block.conv1, &block.bn1),
            (&block.conv2, &block.bn2),
            (&block.conv3, &block.bn3),
        ];
        self.residual(path, &main, block.downsample.as_ref(), x)
    }

    /// Convolutions with batch norms and a ReLU between them, added to a shortcut, and a last ReLU.
    fn residual(
        &mut self,
        path: &str,
        main: &[(&Conv2d, &BatchNorm)],
        downsample: Option<&Sequential>,
        x: Value,
    ) -> Lowered {
        let mut y = x.clone();
        for (i, (conv, bn)) in (1..).zip(main) {
            y = self.conv(&join(path, &format!("conv{i}")), conv, y)?;
            y = self.batch_norm(&join(path, &format!("bn{i}")), bn, y)?;
            if i < main.len() {
                y = self.same("Relu", &join(path, &format!("relu{i}")), y)?;
            }
        }
        let shortcut = match downsample {
            Some(layers) => self.sequential(&join(path, "downsample"), layers, x)?,
            None => x,
        };
        let sum = self.node("Add", &join(path, "add"), &[&y.name, &shortcut.name], [])?;
        let sum = Value { name: sum, ..y };
        self.same("Relu", &join(path, "relu"), sum)
    }
}

impl Conv2d {
    /// Height and width of the output of a kernel of side `k`.
    pub(crate) fn out_size(&self, k: usize, size: Option<[usize; 2]>) -> Option<[usize; 2]> {
        if self.same {
            return size.map(|size| size.map(|side| SamePadding::outputs(side, self.stride)));
        }
        windows(size, [k, self.stride, self.padding], false)
    }
}

/// The number of windows of side `k`, every `s` pixels, with `p` pixels of padding on each side.
/// With `ceil`, one more window may begin before the end.
pub(crate) fn windows(
    size: Option<[usize; 2]>,
    [k, s, p]: [usize; 3],
    ceil: bool,
) -> Option<[usize; 2]> {
    let fit = |n: usize| {
        let room = (n + 2 * p).checked_sub(k)?;
        let more = room.checked_div(s)?;
        let last = more + 1;
        let begins = ceil && more * s < room && last * s < n + p;
        Some(if begins { last + 1 } else { last })
    };
    let [h, w] = size?;
    Some([fit(h)?, fit(w)?])
}
