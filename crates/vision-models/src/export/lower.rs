//! From layers to nodes: one short method for each kind of layer.

use std::collections::BTreeSet;

use super::proto::{Attribute, Node};
use crate::{
    layers::{BatchNorm, Conv2d, Layer, Linear, Sequential},
    resnet::{BasicBlock, Bottleneck},
};

/// A value on its way through the network.
#[derive(Clone, Debug)]
pub(super) struct Value {
    pub(super) name: String,
    /// Channels or features, where they are known.
    pub(super) channels: Option<usize>,
    /// Height and width, where they are known.
    pub(super) size: Option<[usize; 2]>,
    /// `[batch, features]` rather than `[batch, channels, height, width]`.
    pub(super) flat: bool,
}

/// Why a network cannot be carried: the layer's path and the reason.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) layer: String,
    pub(super) reason: String,
}

type Lowered = Result<Value, Refusal>;

/// Builds nodes from layers.
#[derive(Debug, Default)]
pub(super) struct Lowering {
    pub(super) nodes: Vec<Node>,
    pub(super) names: BTreeSet<String>,
    /// Only who feeds whom is asked for: what needs the size of a picture is written without it.
    pub(super) structure_only: bool,
}

/// `layer1.0` and `conv1` to `layer1.0.conv1`.
fn join(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}

fn square(value: usize) -> Attribute {
    Attribute::Ints(vec![value as i64; 2])
}

/// Padding at the beginnings of both axes, then at their ends.
fn pads(value: usize) -> Attribute {
    Attribute::Ints(vec![value as i64; 4])
}

impl Lowering {
    /// Appends a node with one output, called like the node: the path with slashes, which no
    /// parameter's name has.
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
                reason: "has the name of another layer".into(),
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

    /// A node that changes neither rank nor size.
    fn same(&mut self, op: &str, path: &str, x: Value) -> Lowered {
        let name = self.node(op, path, &[&x.name], [])?;
        Ok(Value { name, ..x })
    }

    /// A node that pools a whole picture to one value.
    fn global(&mut self, op: &str, path: &str, x: &Value) -> Lowered {
        Ok(Value {
            name: self.node(op, path, &[&x.name], [])?,
            channels: x.channels,
            size: Some([1, 1]),
            flat: false,
        })
    }

    /// Any layer. The one place that a new kind of layer is added to.
    pub(super) fn layer(&mut self, path: &str, layer: &Layer, x: Value) -> Lowered {
        match layer {
            Layer::Conv2d(layer) => self.conv(path, layer, x),
            Layer::BatchNorm(layer) => self.batch_norm(path, layer, x),
            Layer::Relu => self.same("Relu", path, x),
            Layer::MaxPool2d(pool) => {
                let (k, s, p) = (pool.kernel_size, pool.stride, pool.padding);
                let attributes = [
                    ("kernel_shape", square(k)),
                    ("strides", square(s)),
                    ("pads", pads(p)),
                ];
                let name = self.node("MaxPool", path, &[&x.name], attributes)?;
                Ok(Value {
                    name,
                    size: windows(x.size, k, s, p),
                    ..x
                })
            }
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
            // At inference it does nothing.
            Layer::Dropout(_) => Ok(x),
            Layer::Linear(layer) => self.linear(path, layer, x),
            Layer::Sequential(layers) => self.sequential(path, layers, x),
            Layer::BasicBlock(block) => self.basic_block(path, block, x),
            Layer::Bottleneck(block) => self.bottleneck(path, block, x),
        }
    }

    pub(super) fn sequential(&mut self, path: &str, layers: &Sequential, x: Value) -> Lowered {
        layers.children().try_fold(x, |x, (name, layer)| {
            self.layer(&join(path, name), layer, x)
        })
    }

    fn conv(&mut self, path: &str, layer: &Conv2d, x: Value) -> Lowered {
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
        let attributes = [
            ("kernel_shape", square(k)),
            ("strides", square(layer.stride)),
            ("pads", pads(layer.padding)),
            ("group", Attribute::Int(layer.groups as i64)),
        ];
        Ok(Value {
            name: self.node("Conv", path, &inputs, attributes)?,
            channels: Some(channels),
            size: windows(x.size, k, layer.stride, layer.padding),
            flat: false,
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

    /// ONNX has no adaptive pool; with a known size that divides evenly it is an ordinary one.
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
                "pools to {size}×{size}, which ONNX cannot say for pictures of any size: fix the size \
                 (OnnxConfig::with_size)"
            );
            return Err(refuse(reason));
        };
        if size == 0 || h % size != 0 || w % size != 0 || h == 0 || w == 0 {
            let reason = format!(
                "pools {h}×{w} to {size}×{size}, whose windows are not all equal: choose a size of \
                 picture that makes multiples of {size} there"
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
        })
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

    /// Convolutions with batch norms, ReLU between them, added to a shortcut, and a last ReLU.
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

/// How many windows of side `k` fit, every `s` pixels, over `p` more on each side.
fn windows(size: Option<[usize; 2]>, k: usize, s: usize, p: usize) -> Option<[usize; 2]> {
    let fit = |n: usize| Some((n + 2 * p).checked_sub(k)?.checked_div(s)? + 1);
    let [h, w] = size?;
    Some([fit(h)?, fit(w)?])
}
