//! Shapes and multiply-adds of the layers of a network, computed without running it.

use super::join;
use crate::arch::convnext::ConvNextBlock;
use crate::arch::densenet::DenseLayer;
use crate::arch::squeezenet::Fire;
use crate::arch::vit::TransformerBlock;
use crate::arch::xresnet::XResBlock;
use crate::export::windows;
use crate::layers::{
    Activation, BatchNorm, Conv2d, DOWNSAMPLE, Layer, Linear, Mlp, Pointwise, Sequential,
};

/// One layer of a network, for one image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerProfile {
    /// Dotted path, as PyTorch names the module: `layer1.0.conv1`.
    pub name: String,
    /// What the layer is: `Conv2d`.
    pub kind: &'static str,
    /// The shape of its output: channels, height and width, or the number of features.
    pub output: Vec<usize>,
    /// Multiplications, each with an addition, of a convolution, a fully connected layer or an attention; 0 for other layers.
    pub multiply_adds: u64,
}

/// Largest side of an image: beyond it the counts could overflow.
const MOST: usize = 1 << 20;

/// The layers that have no layers inside, or parameters of their own, in the order in which they run, for an image of these channels, height and
/// width. Additions and concatenations are no layers. A ReLU that runs several times in a block is listed once, with
/// its last output, as a hook in PyTorch would report it.
///
/// ```
/// use vision_models::{Arch, Init, inspect};
/// # let device = vision_models::test_device();
/// let net = Arch::ResNet18.build(1000, &mut Init::zeroed(&device));
/// let layers = inspect::profile(&net, [3, 224, 224]).expect("a large enough image");
/// assert_eq!((layers[0].name.as_str(), &layers[0].output[..]), ("conv1", &[64, 112, 112][..]));
/// assert_eq!(layers[0].multiply_adds, 64 * 112 * 112 * 3 * 7 * 7);
/// ```
///
/// # Errors
///
/// The name of the layer of whose output nothing would be left, because the image is too small. The name is empty if a
/// side of the image is 0 or above 1,048,576 pixels.
pub fn profile(model: &Sequential, input: [usize; 3]) -> Result<Vec<LayerProfile>, String> {
    let [channels, height, width] = input;
    if [height, width]
        .iter()
        .any(|side| !(1..=MOST).contains(side))
    {
        return Err(String::new());
    }
    let mut profiler = Profiler { rows: Vec::new() };
    let x = Shape {
        channels,
        size: [height, width],
        flat: false,
    };
    profiler.sequential("", model, x)?;
    Ok(profiler.rows)
}

#[derive(Clone, Copy)]
struct Shape {
    channels: usize,
    size: [usize; 2],
    flat: bool,
}

impl Shape {
    fn values(self) -> u64 {
        let [height, width] = self.size.map(|side| side as u64);
        (self.channels as u64)
            .saturating_mul(height)
            .saturating_mul(width)
    }

    fn flattened(self) -> Self {
        Self {
            channels: usize::try_from(self.values()).unwrap_or(usize::MAX),
            size: [1, 1],
            flat: true,
        }
    }
}

/// PyTorch's name of the module.
fn kind(function: Activation) -> &'static str {
    match function {
        Activation::Relu => "ReLU",
        Activation::Relu6 => "ReLU6",
        Activation::Silu => "SiLU",
        Activation::HardSwish => "Hardswish",
        Activation::HardSigmoid => "Hardsigmoid",
        Activation::Sigmoid => "Sigmoid",
        Activation::Gelu => "GELU",
    }
}

type Shaped = Result<Shape, String>;

struct Profiler {
    rows: Vec<LayerProfile>,
}

impl Profiler {
    fn row(&mut self, name: &str, kind: &'static str, out: Shape, multiply_adds: u64) -> Shaped {
        let [height, width] = out.size;
        self.rows.push(LayerProfile {
            name: name.to_owned(),
            kind,
            output: if out.flat {
                vec![out.channels]
            } else {
                vec![out.channels, height, width]
            },
            multiply_adds,
        });
        Ok(out)
    }

    fn pooled(&mut self, name: &str, kind: &'static str, x: Shape, size: usize) -> Shaped {
        let size = [size; 2];
        self.row(name, kind, Shape { size, ..x }, 0)
    }

    fn windowed(
        &mut self,
        (name, kind): (&str, &'static str),
        x: Shape,
        window: [usize; 3],
        ceil: bool,
    ) -> Shaped {
        let size = windows(Some(x.size), window, ceil).ok_or_else(|| name.to_owned())?;
        self.row(name, kind, Shape { size, ..x }, 0)
    }

    fn sequential(&mut self, path: &str, layers: &Sequential, x: Shape) -> Shaped {
        layers.children().try_fold(x, |x, (name, layer)| {
            self.layer(&join(path, name), layer, x)
        })
    }

    fn layer(&mut self, path: &str, layer: &Layer, x: Shape) -> Shaped {
        match layer {
            Layer::Conv2d(conv) => self.conv(path, conv, x),
            Layer::BatchNorm(_) => self.row(path, "BatchNorm", x, 0),
            Layer::Relu => self.row(path, "ReLU", x, 0),
            Layer::Relu6 => self.row(path, "ReLU6", x, 0),
            Layer::Activation(function) => self.row(path, kind(*function), x, 0),
            Layer::MaxPool2d(pool) => {
                let window = [pool.kernel_size, pool.stride, pool.padding];
                self.windowed((path, "MaxPool2d"), x, window, pool.ceil_mode)
            }
            Layer::AvgPool2d(pool) => {
                let window = [pool.size, pool.size, 0];
                self.windowed((path, "AvgPool2d"), x, window, pool.ceil_mode)
            }
            Layer::AdaptiveAvgPool2d(pool) => self.pooled(path, "AdaptiveAvgPool2d", x, pool.size),
            Layer::AdaptiveConcatPool2d(_) => {
                let channels = x.channels.saturating_mul(2);
                self.pooled(path, "AdaptiveConcatPool2d", Shape { channels, ..x }, 1)
            }
            Layer::Flatten => self.row(path, "Flatten", x.flattened(), 0),
            Layer::Dropout(_) => self.row(path, "Dropout", x, 0),
            Layer::Linear(linear) => self.linear(path, linear, x),
            Layer::Sequential(layers) => self.sequential(path, layers, x),
            Layer::Pooled(pooled) => {
                let size = [1, 1];
                let flat = true; // torchvision flattens after the mean
                self.layer(path, pooled.layer(), Shape { size, flat, ..x })
            }
            Layer::Shortcut(shortcut) => {
                let y = self.sequential(path, shortcut.layers(), x)?;
                if let Some(layers) = shortcut.downsample() {
                    self.sequential(&join(path, DOWNSAMPLE), layers, x)?;
                }
                Ok(y)
            }
            Layer::Gate(gate) => {
                let size = [1, 1];
                self.sequential(path, gate.layers(), Shape { size, ..x })?;
                Ok(x)
            }
            Layer::BasicBlock(block) => {
                let main = [(&block.conv1, &block.bn1), (&block.conv2, &block.bn2)];
                self.residual(path, &main, block.downsample.as_ref(), x)
            }
            Layer::Bottleneck(block) => {
                let main = [
                    (&block.conv1, &block.bn1),
                    (&block.conv2, &block.bn2),
                    (&block.conv3, &block.bn3),
                ];
                self.residual(path, &main, block.downsample.as_ref(), x)
            }
            Layer::Fire(block) => self.fire(path, block, x),
            Layer::DenseLayer(block) => self.dense_layer(path, block, x),
            Layer::InvertedResidual(block) => self.sequential(&join(path, "conv"), &block.conv, x),
            Layer::XResBlock(block) => self.xres_block(path, block, x),
            Layer::LayerNorm(_) => self.row(path, "LayerNorm", x, 0),
            Layer::ConvNextBlock(block) => self.conv_next_block(path, block, x),
            Layer::Tokens(_) => {
                let [h, w] = x.size;
                let size = [1, h.saturating_mul(w).saturating_add(1)];
                self.row(path, "Tokens", Shape { size, ..x }, 0)
            }
            Layer::TransformerBlock(block) => self.transformer_block(path, block, x),
            Layer::ClassToken => {
                let (size, flat) = ([1, 1], true);
                self.row(path, "ClassToken", Shape { size, flat, ..x }, 0)
            }
        }
    }

    fn conv(&mut self, path: &str, conv: &Conv2d, x: Shape) -> Shaped {
        let shape = conv.weight.lazy_shape();
        let [channels, inputs, kernel, _] = shape[..] else {
            return Err(path.to_owned());
        };
        let size = conv.out_size(kernel, Some(x.size));
        let size = size.ok_or_else(|| path.to_owned())?;
        let out = Shape {
            channels,
            size,
            flat: false,
        };
        // `inputs` are the channels of one group.
        let each = (inputs as u64).saturating_mul((kernel as u64).saturating_pow(2));
        self.row(path, "Conv2d", out, out.values().saturating_mul(each))
    }

    fn linear(&mut self, path: &str, linear: &Linear, x: Shape) -> Shaped {
        let inputs = x.flattened();
        let channels = linear.weight.lazy_shape()[0];
        let out = Shape { channels, ..inputs };
        let multiply_adds = inputs.values().saturating_mul(channels as u64);
        self.row(path, "Linear", out, multiply_adds)
    }

    fn residual(
        &mut self,
        path: &str,
        main: &[(&Conv2d, &BatchNorm)],
        downsample: Option<&Sequential>,
        x: Shape,
    ) -> Shaped {
        let mut y = x;
        for (i, (conv, _)) in (1..).zip(main) {
            y = self.conv(&join(path, &format!("conv{i}")), conv, y)?;
            y = self.row(&join(path, &format!("bn{i}")), "BatchNorm", y, 0)?;
        }
        if let Some(layers) = downsample {
            self.sequential(&join(path, "downsample"), layers, x)?;
        }
        self.row(&join(path, "relu"), "ReLU", y, 0)
    }

    fn fire(&mut self, path: &str, block: &Fire, x: Shape) -> Shaped {
        let mut unit = |name: &str, conv, x| {
            let y = self.conv(&join(path, name), conv, x)?;
            self.row(&join(path, &format!("{name}_activation")), "ReLU", y, 0)
        };
        let x = unit("squeeze", &block.squeeze, x)?;
        let small = unit("expand1x1", &block.expand1x1, x)?;
        let large = unit("expand3x3", &block.expand3x3, x)?;
        Ok(Shape {
            channels: small.channels.saturating_add(large.channels),
            ..large
        })
    }

    fn dense_layer(&mut self, path: &str, block: &DenseLayer, x: Shape) -> Shaped {
        let mut y = x;
        for (i, conv) in (1..).zip([&block.conv1, &block.conv2]) {
            y = self.row(&join(path, &format!("norm{i}")), "BatchNorm", y, 0)?;
            y = self.row(&join(path, &format!("relu{i}")), "ReLU", y, 0)?;
            y = self.conv(&join(path, &format!("conv{i}")), conv, y)?;
        }
        Ok(Shape {
            channels: x.channels.saturating_add(y.channels),
            ..y
        })
    }

    fn xres_block(&mut self, path: &str, block: &XResBlock, x: Shape) -> Shaped {
        let y = self.sequential(&join(path, "convs"), &block.convs, x)?;
        let mut shortcut = x;
        if let Some(pool) = &block.pool {
            let window = [pool.size, pool.size, 0];
            let (pool, ceil) = (join(path, "pool"), pool.ceil_mode);
            shortcut = self.windowed((&pool, "AvgPool2d"), shortcut, window, ceil)?;
        }
        if let Some(projection) = &block.idconv {
            self.sequential(&join(path, "idconv"), projection, shortcut)?;
        }
        self.row(&join(path, "relu"), "ReLU", y, 0)
    }

    fn conv_next_block(&mut self, path: &str, block: &ConvNextBlock, x: Shape) -> Shaped {
        let y = self.conv(&join(path, "conv_dw"), &block.conv_dw, x)?;
        let y = self.row(&join(path, "norm"), "LayerNorm", y, 0)?;
        let y = self.mlp(&join(path, "mlp"), &block.mlp, y)?;
        match block.gamma {
            // The scale is a parameter of the block itself.
            Some(_) => self.row(path, "ConvNextBlock", y, 0),
            None => Ok(y),
        }
    }

    fn transformer_block(&mut self, path: &str, block: &TransformerBlock, x: Shape) -> Shaped {
        let at = |name: &str| join(path, name);
        self.row(&at("norm1"), "LayerNorm", x, 0)?;
        let qkv = self.linear_map(&at("attn.qkv"), &block.attn.qkv, x)?;
        let channels = qkv.channels / 3;
        let mixed = Shape { channels, ..qkv };
        let y = self.linear_map(&at("attn.proj"), &block.attn.proj, mixed)?;
        // The products of queries and keys, and of what follows from them with the values.
        let tokens = x.size.iter().map(|side| *side as u64);
        let tokens = tokens.fold(1, u64::saturating_mul);
        let products = mixed.values().saturating_mul(tokens).saturating_mul(2);
        let mut y = self.row(&at("attn"), "Attention", y, products)?;
        if block.ls1.is_some() {
            y = self.row(&at("ls1"), "LayerScale", y, 0)?;
        }
        y = self.row(&at("norm2"), "LayerNorm", y, 0)?;
        y = self.mlp(&at("mlp"), &block.mlp, y)?;
        match block.ls2 {
            Some(_) => self.row(&at("ls2"), "LayerScale", y, 0),
            None => Ok(y),
        }
    }

    fn linear_map(&mut self, path: &str, linear: &Linear, x: Shape) -> Shaped {
        let shape = linear.weight.lazy_shape();
        let (channels, inputs) = (shape[0], shape[1] as u64);
        let out = Shape { channels, ..x };
        self.row(path, "Linear", out, out.values().saturating_mul(inputs))
    }

    fn mlp(&mut self, path: &str, mlp: &Mlp, x: Shape) -> Shaped {
        let x = self.pointwise(&join(path, "fc1"), &mlp.fc1, x)?;
        let x = self.row(&join(path, "act"), "GELU", x, 0)?;
        if mlp.grn.is_some() {
            self.row(&join(path, "grn"), "ResponseNorm", x, 0)?;
        }
        self.pointwise(&join(path, "fc2"), &mlp.fc2, x)
    }

    fn pointwise(&mut self, path: &str, map: &Pointwise, x: Shape) -> Shaped {
        match map {
            Pointwise::Conv(conv) => self.conv(path, conv, x),
            Pointwise::Linear(linear) => self.linear_map(path, linear, x),
        }
    }
}
