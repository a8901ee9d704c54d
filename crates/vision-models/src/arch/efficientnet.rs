//! EfficientNet (Tan and Le 2019, <https://arxiv.org/abs/1905.11946>), EfficientNet-Lite, and EfficientNetV2 (2021,
//! <https://arxiv.org/abs/2104.00298>), with timm's names.

use crate::arch::info::{ArchInfo, IMAGENET_MEAN, IMAGENET_SIZE, IMAGENET_STD, WeightsInfo};
use crate::arch::mbconv::{
    Chain, Fused, Inverted, Squeeze, Style, classifier, multiple_of_8, plain,
};
use crate::init::Init;
use crate::layers::{Activation, ConvConfig, Layer, Pooled, Sequential};
use crate::parity::Tolerances;

const fn info(
    name: &'static str,
    input_size: usize,
    features: usize,
    weights: Option<WeightsInfo>,
    tolerances: Tolerances,
    build: fn(usize, &mut Init) -> Sequential,
) -> ArchInfo {
    ArchInfo {
        name,
        cut: -1,
        // The stages with 1/16 of the image's side begin the second group.
        split: &["0.3.3", "1"],
        features,
        input_size,
        min_size: 1,
        patch: None,
        mean: IMAGENET_MEAN,
        std: IMAGENET_STD,
        weights,
        tolerances,
        build,
    }
}

pub(super) static TF_EFFICIENTNET_LITE0: ArchInfo = ArchInfo {
    mean: [0.5; 3],
    std: [0.5; 3],
    ..info(
        "tf_efficientnet_lite0",
        IMAGENET_SIZE,
        1280,
        Some(WeightsInfo::hub("timm/tf_efficientnet_lite0.in1k")),
        Tolerances::gradients(1e-2),
        |classes, init| build(&LITE0, classes, init),
    )
};
pub(super) static EFFICIENTNET_B0: ArchInfo = info(
    "efficientnet_b0",
    224,
    1280,
    Some(WeightsInfo::imagenet(
        "https://download.pytorch.org/models/efficientnet_b0_rwightman-7f5810bc.pth",
        20.451,
    )),
    Tolerances::gradients(1e-2),
    |classes, init| build(&scaled(1.0, 1.0), classes, init),
);
pub(super) static EFFICIENTNET_B1: ArchInfo = info(
    "efficientnet_b1",
    240,
    1280,
    Some(WeightsInfo::imagenet(
        "https://download.pytorch.org/models/efficientnet_b1-c27df63c.pth",
        30.136,
    )),
    Tolerances::gradients(1e-2),
    |classes, init| build(&scaled(1.0, 1.1), classes, init),
);
pub(super) static EFFICIENTNET_B2: ArchInfo = info(
    "efficientnet_b2",
    288,
    1408,
    Some(WeightsInfo::imagenet(
        "https://download.pytorch.org/models/efficientnet_b2_rwightman-c35c1473.pth",
        35.174,
    )),
    Tolerances::gradients(1e-2),
    |classes, init| build(&scaled(1.1, 1.2), classes, init),
);
pub(super) static EFFICIENTNET_B3: ArchInfo = info(
    "efficientnet_b3",
    300,
    1536,
    Some(WeightsInfo::imagenet(
        "https://download.pytorch.org/models/efficientnet_b3_rwightman-b3899882.pth",
        47.184,
    )),
    Tolerances::gradients(1e-2),
    |classes, init| build(&scaled(1.2, 1.4), classes, init),
);
pub(super) static EFFICIENTNET_B4: ArchInfo = info(
    "efficientnet_b4",
    380,
    1792,
    Some(WeightsInfo::imagenet(
        "https://download.pytorch.org/models/efficientnet_b4_rwightman-23ab8bcd.pth",
        74.489,
    )),
    Tolerances::gradients(1e-2),
    |classes, init| build(&scaled(1.4, 1.8), classes, init),
);
pub(super) static EFFICIENTNET_V2_S: ArchInfo = info(
    "efficientnet_v2_s",
    384,
    1280,
    Some(WeightsInfo::imagenet(
        "https://download.pytorch.org/models/efficientnet_v2_s-dd5fe13b.pth",
        82.704,
    )),
    Tolerances::gradients(1e-2),
    |classes, init| build(&V2_S, classes, init),
);
pub(super) static TF_EFFICIENTNETV2_S: ArchInfo = ArchInfo {
    mean: [0.5; 3],
    std: [0.5; 3],
    ..info(
        "tf_efficientnetv2_s",
        300,
        1280,
        Some(WeightsInfo::hub("timm/tf_efficientnetv2_s.in21k_ft_in1k")),
        Tolerances::gradients(1e-2),
        |classes, init| build(&TF_V2_S, classes, init),
    )
};

/// The paper's network, made wider and deeper.
#[derive(Clone, Copy, Debug)]
struct Network {
    stages: &'static [Stage],
    /// Factor of the number of channels.
    width: f64,
    /// Factor of the number of blocks.
    depth: f64,
    stem: usize,
    last: usize,
    function: Activation,
    style: Style,
}

/// Blocks with the same output.
#[derive(Clone, Copy, Debug)]
struct Stage {
    kind: Kind,
    /// Channels inside of a block, as a multiple of its inputs.
    expansion: usize,
    channels: usize,
    blocks: usize,
    /// Of the first block.
    stride: usize,
    /// Side of the depthwise kernel.
    kernel: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// An inverted residual without squeeze and excitation.
    Plain,
    /// An inverted residual with it.
    Gated,
    /// A fused inverted residual.
    Fused,
    /// A convolution alone.
    Conv,
}

const fn stage(kind: Kind, [expansion, channels, blocks, stride, kernel]: [usize; 5]) -> Stage {
    Stage {
        kind,
        expansion,
        channels,
        blocks,
        stride,
        kernel,
    }
}

/// Table 1 of the first paper.
const B0_STAGES: [Stage; 7] = b0_stages(Kind::Gated);
const LITE_STAGES: [Stage; 7] = b0_stages(Kind::Plain);

const fn b0_stages(kind: Kind) -> [Stage; 7] {
    [
        stage(kind, [1, 16, 1, 1, 3]),
        stage(kind, [6, 24, 2, 2, 3]),
        stage(kind, [6, 40, 2, 2, 5]),
        stage(kind, [6, 80, 3, 2, 3]),
        stage(kind, [6, 112, 3, 1, 5]),
        stage(kind, [6, 192, 4, 2, 5]),
        stage(kind, [6, 320, 1, 1, 3]),
    ]
}

/// Table 4 of the second paper, with the strides and numbers of blocks of the published code.
const V2_S_STAGES: [Stage; 6] = [
    stage(Kind::Conv, [1, 24, 2, 1, 3]),
    stage(Kind::Fused, [4, 48, 4, 2, 3]),
    stage(Kind::Fused, [4, 64, 4, 2, 3]),
    stage(Kind::Gated, [4, 128, 6, 2, 3]),
    stage(Kind::Gated, [6, 160, 9, 1, 3]),
    stage(Kind::Gated, [6, 256, 15, 2, 3]),
];

const LITE0: Network = Network {
    stages: &LITE_STAGES,
    function: Activation::Relu6,
    style: Style::TENSORFLOW,
    ..scaled(1.0, 1.0)
};
const V2_S: Network = Network {
    stages: &V2_S_STAGES,
    stem: 24,
    style: Style {
        same: false,
        ..Style::TENSORFLOW
    },
    ..scaled(1.0, 1.0)
};
const TF_V2_S: Network = Network {
    style: Style::TENSORFLOW,
    ..V2_S
};

const fn scaled(width: f64, depth: f64) -> Network {
    Network {
        stages: &B0_STAGES,
        width,
        depth,
        stem: 32,
        last: 1280,
        function: Activation::Silu,
        style: Style::PYTORCH,
    }
}

fn build(network: &Network, classes: usize, init: &mut Init) -> Sequential {
    let scaled = |channels: usize| match network.width {
        1.0 => channels,
        width => multiple_of_8(width * channels as f64),
    };
    let (stem, features) = (scaled(network.stem), scaled(network.last));
    let mut net = Chain::new(network.style, init);
    net.stem(stem, network.function);
    let stages = network.stages.iter().map(|stage| {
        let blocks = (network.depth * stage.blocks as f64).ceil() as usize;
        (0..blocks).map(move |i| Stage {
            channels: scaled(stage.channels),
            stride: if i == 0 { stage.stride } else { 1 },
            ..*stage
        })
    });
    let channels = net.blocks(stem, stages, |stage, inputs, style, init| {
        let block = block(&stage, inputs, network.function, style, init);
        (block, stage.channels)
    });
    let last = ConvConfig::new(channels, features, 1);
    net.unit(["conv_head", "bn2"], last);
    net.activation("act2", network.function);
    let linear = classifier(features, classes, net.init);
    net.push("classifier", Layer::Pooled(Pooled::new(linear)));
    net.end()
}

fn block(
    stage: &Stage,
    inputs: usize,
    function: Activation,
    style: Style,
    init: &mut Init,
) -> Layer {
    let (width, outputs) = (inputs * stage.expansion, stage.channels);
    let Stage { kernel, stride, .. } = *stage;
    match stage.kind {
        Kind::Plain | Kind::Gated => {
            let squeeze = Squeeze {
                channels: inputs / 4,
                inner: function,
                outer: Activation::Sigmoid,
            };
            let block = Inverted {
                inputs,
                width,
                outputs,
                kernel,
                stride,
                squeeze: (stage.kind == Kind::Gated).then_some(squeeze),
                function,
            };
            block.build(style, init)
        }
        Kind::Fused => {
            let block = Fused {
                inputs,
                width,
                outputs,
                kernel,
                stride,
                function,
            };
            block.build(style, init)
        }
        Kind::Conv => {
            let config = ConvConfig::new(inputs, outputs, kernel).with_stride(stride);
            let shortcut = stride == 1 && inputs == outputs;
            plain(config, function, shortcut, style, init)
        }
    }
}
