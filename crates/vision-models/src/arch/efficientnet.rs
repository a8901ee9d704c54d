//! EfficientNet-Lite as timm builds it: EfficientNet (Tan and Le 2019, <https://arxiv.org/abs/1905.11946>) without squeeze
//! and excitation, and with ReLU6.

use crate::arch::info::{ArchInfo, IMAGENET_SIZE};
use crate::init::{Init, WeightInit};
use crate::layers::{BatchNorm, ConvConfig, Layer, Linear, Pooled, Sequential, Shortcut};
use crate::parity::Tolerances;

pub(super) static TF_EFFICIENTNET_LITE0: ArchInfo = ArchInfo {
    name: "tf_efficientnet_lite0",
    cut: -1,
    // The stages with 1/16 of the image's side begin the second group.
    split: &["0.3.3", "1"],
    features: LAST,
    input_size: IMAGENET_SIZE,
    min_size: 1,
    patch: None,
    mean: [0.5; 3],
    std: [0.5; 3],
    weights: None,
    tolerances: Tolerances::gradients(1e-2),
    build: tf_efficientnet_lite0,
};

/// Stages of the paper's table 1: expansion, channels, blocks, stride of the first block, side of the depthwise kernel.
const STAGES: [(usize, usize, usize, usize, usize); 7] = [
    (1, 16, 1, 1, 3),
    (6, 24, 2, 2, 3),
    (6, 40, 2, 2, 5),
    (6, 80, 3, 2, 3),
    (6, 112, 3, 1, 5),
    (6, 192, 4, 2, 5),
    (6, 320, 1, 1, 3),
];
const STEM: usize = 32;
const LAST: usize = 1280;
/// What TensorFlow's batch norms add to the variance.
const EPSILON: f64 = 1e-3;

/// Builds the whole network, with TensorFlow's padding and batch norms: the weights were trained in it.
fn tf_efficientnet_lite0(classes: usize, init: &mut Init) -> Sequential {
    let mut net = Sequential::new();
    let stem = ConvConfig::new(3, STEM, 3).with_stride(2);
    unit(&mut net, "conv_stem", "bn1", Some("act1"), stem, init);
    let mut channels = STEM;
    let mut stages = Vec::new();
    for (expansion, outputs, depth, first_stride, kernel) in STAGES {
        let mut blocks = Vec::new();
        for i in 0..depth {
            let stride = if i == 0 { first_stride } else { 1 };
            let layers = block(channels, outputs, expansion, [kernel, stride], init);
            blocks.push(if stride == 1 && channels == outputs {
                Layer::Shortcut(Shortcut::new(layers))
            } else {
                Layer::Sequential(layers)
            });
            channels = outputs;
        }
        stages.push(Layer::Sequential(Sequential::numbered(blocks)));
    }
    net.push("blocks", Layer::Sequential(Sequential::numbered(stages)));
    let head = ConvConfig::new(channels, LAST, 1);
    unit(&mut net, "conv_head", "bn2", Some("act2"), head, init);
    let linear = Linear::with_start(LAST, classes, WeightInit::Normal(0.01), init);
    net.push(
        "classifier",
        Layer::Pooled(Pooled::new(Layer::Linear(linear))),
    );
    net
}

/// MobileNet's inverted residual: a 1x1 convolution to more channels, a depthwise convolution, and a 1x1 convolution
/// back. Without more channels, the first is missing.
fn block(
    inputs: usize,
    outputs: usize,
    expansion: usize,
    [kernel, stride]: [usize; 2],
    init: &mut Init,
) -> Sequential {
    let width = inputs * expansion;
    let mut net = Sequential::new();
    let depthwise = ConvConfig::new(width, width, kernel)
        .with_stride(stride)
        .with_groups(width);
    let narrow = ConvConfig::new(width, outputs, 1);
    if expansion == 1 {
        unit(&mut net, "conv_dw", "bn1", Some("act1"), depthwise, init);
        unit(&mut net, "conv_pw", "bn2", None, narrow, init);
    } else {
        let wide = ConvConfig::new(inputs, width, 1);
        unit(&mut net, "conv_pw", "bn1", Some("act1"), wide, init);
        unit(&mut net, "conv_dw", "bn2", Some("act2"), depthwise, init);
        unit(&mut net, "conv_pwl", "bn3", None, narrow, init);
    }
    net
}

/// Appends a convolution, its batch norm, and a ReLU6 if it has a name.
fn unit(
    net: &mut Sequential,
    conv: &str,
    norm: &str,
    relu6: Option<&str>,
    config: ConvConfig,
    init: &mut Init,
) {
    // timm's start: normal, by the outputs of a group.
    let area = config.kernel_size * config.kernel_size;
    let fan_out = area * config.out_channels / config.groups;
    let start = WeightInit::Normal((2.0 / fan_out as f64).sqrt());
    let config = config.with_same_padding().with_start(start);
    net.push(conv, Layer::Conv2d(config.init(init)));
    let batch_norm = BatchNorm::new(config.out_channels, init).with_epsilon(EPSILON);
    net.push(norm, Layer::BatchNorm(batch_norm));
    if let Some(name) = relu6 {
        net.push(name, Layer::Relu6);
    }
}
