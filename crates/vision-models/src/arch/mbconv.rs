//! The parts of EfficientNets and MobileNets as timm builds and names them.

use crate::init::{Init, WeightInit};
use crate::layers::{Activation, BatchNorm, ConvConfig, Gate, Layer, Linear, Sequential, Shortcut};

/// What the convolutions of a network have in common.
#[derive(Clone, Copy, Debug)]
pub(super) struct Style {
    /// Whether padding is TensorFlow's.
    pub(super) same: bool,
    /// Added to the variance in batch norms.
    pub(super) epsilon: f64,
    /// Weight of a new batch in running statistics.
    pub(super) momentum: f64,
}

impl Style {
    /// PyTorch's.
    pub(super) const PYTORCH: Self = Self {
        same: false,
        epsilon: 1e-5,
        momentum: 0.1,
    };
    /// Of weights that were trained in TensorFlow.
    pub(super) const TENSORFLOW: Self = Self {
        same: true,
        epsilon: 1e-3,
        momentum: 0.1,
    };
}

/// The layer of a function after a convolution and its batch norm.
fn layer(function: Activation) -> Layer {
    match function {
        Activation::Relu => Layer::Relu,
        Activation::Relu6 => Layer::Relu6,
        other => Layer::Activation(other),
    }
}

/// Layers in sequence, while they are built.
pub(super) struct Chain<'a> {
    net: Sequential,
    pub(super) style: Style,
    pub(super) init: &'a mut Init,
}

impl<'a> Chain<'a> {
    pub(super) fn new(style: Style, init: &'a mut Init) -> Self {
        Self {
            net: Sequential::new(),
            style,
            init,
        }
    }

    pub(super) fn end(self) -> Sequential {
        self.net
    }

    pub(super) fn push(&mut self, name: &str, layer: Layer) {
        self.net.push(name, layer);
    }

    /// Appends the stem of all these networks: a 3x3 convolution of stride 2 to this number of channels.
    pub(super) fn stem(&mut self, channels: usize, function: Activation) {
        let config = ConvConfig::new(3, channels, 3).with_stride(2);
        self.unit(["conv_stem", "bn1"], config);
        self.activation("act1", function);
    }

    /// Appends stages of blocks. `block` builds a block from its settings and the number of its inputs, and returns the
    /// number of its outputs as well. Returns that of the last one.
    pub(super) fn blocks<T>(
        &mut self,
        mut channels: usize,
        stages: impl IntoIterator<Item = impl IntoIterator<Item = T>>,
        mut block: impl FnMut(T, usize, Style, &mut Init) -> (Layer, usize),
    ) -> usize {
        let mut built = Vec::new();
        for stage in stages {
            let mut blocks = Vec::new();
            for settings in stage {
                let layer;
                (layer, channels) = block(settings, channels, self.style, self.init);
                blocks.push(layer);
            }
            built.push(Layer::Sequential(Sequential::numbered(blocks)));
        }
        self.push("blocks", Layer::Sequential(Sequential::numbered(built)));
        channels
    }

    /// Appends a convolution with padding for the size of its input, and its batch norm.
    pub(super) fn unit(&mut self, [conv, norm]: [&str; 2], config: ConvConfig) {
        let [first, second] = self.parts(config);
        self.net.push(conv, first);
        self.net.push(norm, second);
    }

    /// The layers that [`unit`](Self::unit) appends.
    pub(super) fn parts(&mut self, config: ConvConfig) -> [Layer; 2] {
        let config = started(self.style.same, config);
        let conv = config.init(self.init);
        let batch_norm = BatchNorm::new(config.out_channels, self.init)
            .with_epsilon(self.style.epsilon)
            .with_momentum(self.style.momentum);
        [Layer::Conv2d(conv), Layer::BatchNorm(batch_norm)]
    }

    pub(super) fn activation(&mut self, name: &str, function: Activation) {
        self.net.push(name, layer(function));
    }

    /// Appends squeeze and excitation by way of this number of channels.
    pub(super) fn gate(&mut self, channels: usize, gate: &Squeeze) {
        let mut conv = |inputs, outputs| {
            let config = ConvConfig::new(inputs, outputs, 1).with_bias();
            Layer::Conv2d(started(false, config).init(self.init))
        };
        let layers = Sequential::named([
            ("conv_reduce", conv(channels, gate.channels)),
            ("act1", layer(gate.inner)),
            ("conv_expand", conv(gate.channels, channels)),
            ("gate", layer(gate.outer)),
        ]);
        self.net.push("se", Layer::Gate(Gate::new(layers)));
    }
}

/// Squeeze and excitation: the channels between its two convolutions, and the functions after them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Squeeze {
    pub(super) channels: usize,
    pub(super) inner: Activation,
    pub(super) outer: Activation,
}

/// timm's padding and start: normal, by the outputs of a group.
pub(super) fn started(same: bool, config: ConvConfig) -> ConvConfig {
    let area = config.kernel_size * config.kernel_size;
    let fan_out = area * config.out_channels / config.groups;
    let start = WeightInit::Normal((2.0 / fan_out as f64).sqrt());
    let config = if same {
        config.with_same_padding()
    } else {
        config.with_padding(config.kernel_size / 2)
    };
    config.with_start(start)
}

/// MobileNet's inverted residual: a 1x1 convolution to more channels, a depthwise convolution, squeeze and excitation,
/// and a 1x1 convolution back.
#[derive(Clone, Copy, Debug)]
pub(super) struct Inverted {
    pub(super) inputs: usize,
    /// Channels of the depthwise convolution.
    pub(super) width: usize,
    pub(super) outputs: usize,
    pub(super) kernel: usize,
    pub(super) stride: usize,
    pub(super) squeeze: Option<Squeeze>,
    pub(super) function: Activation,
}

impl Inverted {
    /// Without more channels in the middle, the first convolution is missing: timm's `DepthwiseSeparableConv`.
    pub(super) fn build(&self, style: Style, init: &mut Init) -> Layer {
        let Self {
            inputs,
            width,
            outputs,
            ..
        } = *self;
        let mut net = Chain::new(style, init);
        let depthwise = ConvConfig::new(width, width, self.kernel)
            .with_stride(self.stride)
            .with_groups(width);
        let narrow = ConvConfig::new(width, outputs, 1);
        if width == inputs {
            net.unit(["conv_dw", "bn1"], depthwise);
            net.activation("act1", self.function);
            self.squeeze.iter().for_each(|gate| net.gate(width, gate));
            net.unit(["conv_pw", "bn2"], narrow);
        } else {
            net.unit(["conv_pw", "bn1"], ConvConfig::new(inputs, width, 1));
            net.activation("act1", self.function);
            net.unit(["conv_dw", "bn2"], depthwise);
            net.activation("act2", self.function);
            self.squeeze.iter().for_each(|gate| net.gate(width, gate));
            net.unit(["conv_pwl", "bn3"], narrow);
        }
        residual(net.end(), self.stride == 1 && inputs == outputs)
    }
}

/// The fused inverted residual of EfficientNetV2: a convolution to more channels, and a 1x1 convolution back.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fused {
    pub(super) inputs: usize,
    /// Channels in the middle.
    pub(super) width: usize,
    pub(super) outputs: usize,
    pub(super) kernel: usize,
    pub(super) stride: usize,
    pub(super) function: Activation,
}

impl Fused {
    pub(super) fn build(&self, style: Style, init: &mut Init) -> Layer {
        let mut net = Chain::new(style, init);
        let wide = ConvConfig::new(self.inputs, self.width, self.kernel).with_stride(self.stride);
        net.unit(["conv_exp", "bn1"], wide);
        net.activation("act1", self.function);
        let narrow = ConvConfig::new(self.width, self.outputs, 1);
        net.unit(["conv_pwl", "bn2"], narrow);
        residual(net.end(), self.stride == 1 && self.inputs == self.outputs)
    }
}

/// A convolution, its batch norm and its function. The input is added to the output if `shortcut`.
pub(super) fn plain(
    config: ConvConfig,
    function: Activation,
    shortcut: bool,
    style: Style,
    init: &mut Init,
) -> Layer {
    let mut net = Chain::new(style, init);
    net.unit(["conv", "bn1"], config);
    net.activation("act1", function);
    residual(net.end(), shortcut)
}

pub(super) fn residual(layers: Sequential, shortcut: bool) -> Layer {
    if shortcut {
        Layer::Shortcut(Shortcut::new(layers))
    } else {
        Layer::Sequential(layers)
    }
}

pub(super) fn classifier(features: usize, classes: usize, init: &mut Init) -> Layer {
    let start = WeightInit::Normal(0.01);
    Layer::Linear(Linear::with_start(features, classes, start, init))
}

/// The next multiple of 8, but no less than nine tenths of `channels`.
pub(super) fn multiple_of_8(channels: f64) -> usize {
    let rounded = (((channels + 4.0) / 8.0).floor() as usize).max(1) * 8;
    if (rounded as f64) < 0.9 * channels {
        rounded + 8
    } else {
        rounded
    }
}
