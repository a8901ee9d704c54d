//! MobileNetV3 (Howard et al. 2019, <https://arxiv.org/abs/1905.02244>) as timm and torchvision build it, with timm's names.

use crate::arch::info::{ArchInfo, IMAGENET_MEAN, IMAGENET_SIZE, IMAGENET_STD, WeightsInfo};
use crate::arch::mbconv::{Chain, Inverted, Squeeze, Style, classifier, multiple_of_8, plain};
use crate::init::{Init, WeightInit};
use crate::layers::{Activation, ConvConfig, Layer, Pooled, Sequential};
use crate::parity::Tolerances;

const fn info(
    name: &'static str,
    split: &'static [&'static str],
    features: usize,
    weights: Option<WeightsInfo>,
    build: fn(usize, &mut Init) -> Sequential,
) -> ArchInfo {
    ArchInfo {
        name,
        cut: -3,
        split,
        features,
        input_size: IMAGENET_SIZE,
        min_size: 1,
        patch: None,
        mean: IMAGENET_MEAN,
        std: IMAGENET_STD,
        weights,
        tolerances: Tolerances::gradients(1e-2),
        build,
    }
}

/// The stages with 1/16 of the image's side begin the second group.
const LARGE_SPLIT: &[&str] = &["0.3.3", "1"];
const SMALL_SPLIT: &[&str] = &["0.3.2", "1"];

pub(super) static MOBILENETV3_LARGE_100: ArchInfo = info(
    "mobilenetv3_large_100",
    LARGE_SPLIT,
    960,
    Some(WeightsInfo::hub("timm/mobilenetv3_large_100.ra_in1k")),
    |classes, init| build(&LARGE, Style::PYTORCH, classes, init),
);
pub(super) static MOBILENETV3_SMALL_100: ArchInfo = info(
    "mobilenetv3_small_100",
    SMALL_SPLIT,
    576,
    Some(WeightsInfo::hub("timm/mobilenetv3_small_100.lamb_in1k")),
    |classes, init| build(&SMALL, Style::PYTORCH, classes, init),
);
pub(super) static MOBILENET_V3_LARGE: ArchInfo = info(
    "mobilenet_v3_large",
    LARGE_SPLIT,
    960,
    Some(WeightsInfo::imagenet(
        "https://download.pytorch.org/models/mobilenet_v3_large-5c1a4163.pth",
        21.107,
    )),
    |classes, init| build(&LARGE, TORCHVISION, classes, init),
);
pub(super) static MOBILENET_V3_SMALL: ArchInfo = info(
    "mobilenet_v3_small",
    SMALL_SPLIT,
    576,
    Some(WeightsInfo::imagenet(
        "https://download.pytorch.org/models/mobilenet_v3_small-047dcff4.pth",
        9.829,
    )),
    |classes, init| build(&SMALL, TORCHVISION, classes, init),
);

/// The batch norms of torchvision's MobileNetV3 have other numbers than timm's.
const TORCHVISION: Style = Style {
    same: false,
    epsilon: 1e-3,
    momentum: 0.01,
};

#[derive(Clone, Copy, Debug)]
struct Network {
    stages: &'static [&'static [Block]],
    /// Features of the hidden layer in the classifier.
    hidden: usize,
}

/// Side of the depthwise kernel, channels inside, channels of the output, stride; whether it has squeeze and excitation,
/// and whether its function is the hard-swish instead of the ReLU.
#[derive(Clone, Copy, Debug)]
struct Block {
    kernel: usize,
    width: usize,
    outputs: usize,
    stride: usize,
    gated: bool,
    swish: bool,
}

const fn b(sizes: [usize; 4], gated: bool, swish: bool) -> Block {
    let [kernel, width, outputs, stride] = sizes;
    Block {
        kernel,
        width,
        outputs,
        stride,
        gated,
        swish,
    }
}

const STEM: usize = 16;

/// Table 1 of the paper.
const LARGE: Network = Network {
    stages: &[
        &[b([3, 16, 16, 1], false, false)],
        &[
            b([3, 64, 24, 2], false, false),
            b([3, 72, 24, 1], false, false),
        ],
        &[
            b([5, 72, 40, 2], true, false),
            b([5, 120, 40, 1], true, false),
            b([5, 120, 40, 1], true, false),
        ],
        &[
            b([3, 240, 80, 2], false, true),
            b([3, 200, 80, 1], false, true),
            b([3, 184, 80, 1], false, true),
            b([3, 184, 80, 1], false, true),
        ],
        &[
            b([3, 480, 112, 1], true, true),
            b([3, 672, 112, 1], true, true),
        ],
        &[
            b([5, 672, 160, 2], true, true),
            b([5, 960, 160, 1], true, true),
            b([5, 960, 160, 1], true, true),
        ],
        &[b([1, 160, 960, 1], false, true)],
    ],
    hidden: 1280,
};

/// Table 2 of the paper.
const SMALL: Network = Network {
    stages: &[
        &[b([3, 16, 16, 2], true, false)],
        &[
            b([3, 72, 24, 2], false, false),
            b([3, 88, 24, 1], false, false),
        ],
        &[
            b([5, 96, 40, 2], true, true),
            b([5, 240, 40, 1], true, true),
            b([5, 240, 40, 1], true, true),
        ],
        &[
            b([5, 120, 48, 1], true, true),
            b([5, 144, 48, 1], true, true),
        ],
        &[
            b([5, 288, 96, 2], true, true),
            b([5, 576, 96, 1], true, true),
            b([5, 576, 96, 1], true, true),
        ],
        &[b([1, 96, 576, 1], false, true)],
    ],
    hidden: 1024,
};

fn build(network: &Network, style: Style, classes: usize, init: &mut Init) -> Sequential {
    let mut net = Chain::new(style, init);
    net.stem(STEM, Activation::HardSwish);
    let stages = network.stages.iter().map(|stage| stage.iter());
    let channels = net.blocks(STEM, stages, |block, inputs, style, init| {
        (layer(block, inputs, style, init), block.outputs)
    });
    let hidden = ConvConfig::new(channels, network.hidden, 1)
        .with_bias()
        .with_start(WeightInit::Normal(0.01));
    let hidden = Layer::Conv2d(hidden.init(net.init));
    net.push("conv_head", Layer::Pooled(Pooled::new(hidden)));
    net.activation("act2", Activation::HardSwish);
    let linear = classifier(network.hidden, classes, net.init);
    net.push("classifier", linear);
    net.end()
}

fn layer(block: &Block, inputs: usize, style: Style, init: &mut Init) -> Layer {
    let function = if block.swish {
        Activation::HardSwish
    } else {
        Activation::Relu
    };
    // The last layer of the body.
    if block.kernel == 1 {
        let config = ConvConfig::new(inputs, block.outputs, 1);
        return plain(config, function, false, style, init);
    }
    let squeeze = Squeeze {
        channels: multiple_of_8(block.width as f64 / 4.0),
        inner: Activation::Relu,
        outer: Activation::HardSigmoid,
    };
    let block = Inverted {
        inputs,
        width: block.width,
        outputs: block.outputs,
        kernel: block.kernel,
        stride: block.stride,
        squeeze: block.gated.then_some(squeeze),
        function,
    };
    block.build(style, init)
}
