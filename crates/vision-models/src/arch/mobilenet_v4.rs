//! MobileNetV4 of convolutions (Qin et al. 2024, <https://arxiv.org/abs/2404.10518>) as timm builds it.

use crate::arch::info::{ArchInfo, IMAGENET_MEAN, IMAGENET_SIZE, IMAGENET_STD, WeightsInfo};
use crate::arch::mbconv::{Chain, Fused, Style, classifier, plain, residual};
use crate::init::Init;
use crate::layers::{Activation, ConvConfig, Layer, Pooled, Sequential};
use crate::parity::Tolerances;

const fn info(
    name: &'static str,
    repository: &'static str,
    input_size: usize,
    split: &'static [&'static str],
    build: fn(usize, &mut Init) -> Sequential,
) -> ArchInfo {
    ArchInfo {
        name,
        cut: -4,
        split,
        features: 960,
        input_size,
        min_size: 1,
        patch: None,
        mean: IMAGENET_MEAN,
        std: IMAGENET_STD,
        weights: Some(WeightsInfo::hub(repository)),
        tolerances: Tolerances::gradients(1e-2),
        build,
    }
}

pub(super) static MOBILENETV4_CONV_SMALL: ArchInfo = info(
    "mobilenetv4_conv_small",
    "timm/mobilenetv4_conv_small.e2400_r224_in1k",
    IMAGENET_SIZE,
    &["0.3.2", "1"],
    |classes, init| build(SMALL, classes, init),
);
pub(super) static MOBILENETV4_CONV_MEDIUM: ArchInfo = info(
    "mobilenetv4_conv_medium",
    "timm/mobilenetv4_conv_medium.e500_r256_in1k",
    256,
    &["0.3.2", "1"],
    |classes, init| build(MEDIUM, classes, init),
);

const STEM: usize = 32;
const HIDDEN: usize = 1280;

#[derive(Clone, Copy, Debug)]
enum Block {
    /// A convolution: kernel, channels, stride.
    Conv(usize, usize, usize),
    /// A fused inverted residual of stride 2: channels inside, channels of the output.
    Fused(usize, usize),
    /// A universal inverted bottleneck: kernels of the depthwise convolutions before and inside, 0 for none; channels
    /// inside, channels of the output, stride.
    Universal([usize; 2], usize, usize, usize),
}

use Block::{Conv, Fused as F, Universal as U};

/// Table 11 of the paper.
const SMALL: &[&[Block]] = &[
    &[Conv(3, 32, 2), Conv(1, 32, 1)],
    &[Conv(3, 96, 2), Conv(1, 64, 1)],
    &[
        U([5, 5], 192, 96, 2),
        U([0, 3], 192, 96, 1),
        U([0, 3], 192, 96, 1),
        U([0, 3], 192, 96, 1),
        U([0, 3], 192, 96, 1),
        U([3, 0], 384, 96, 1),
    ],
    &[
        U([3, 3], 576, 128, 2),
        U([5, 5], 512, 128, 1),
        U([0, 5], 512, 128, 1),
        U([0, 5], 384, 128, 1),
        U([0, 3], 512, 128, 1),
        U([0, 3], 512, 128, 1),
    ],
    &[Conv(1, 960, 1)],
];

/// Table 12 of the paper.
const MEDIUM: &[&[Block]] = &[
    &[F(128, 48)],
    &[U([3, 5], 192, 80, 2), U([3, 3], 160, 80, 1)],
    &[
        U([3, 5], 480, 160, 2),
        U([3, 3], 640, 160, 1),
        U([3, 3], 640, 160, 1),
        U([3, 5], 640, 160, 1),
        U([3, 3], 640, 160, 1),
        U([3, 0], 640, 160, 1),
        U([0, 0], 320, 160, 1),
        U([3, 0], 640, 160, 1),
    ],
    &[
        U([5, 5], 960, 256, 2),
        U([5, 5], 1024, 256, 1),
        U([3, 5], 1024, 256, 1),
        U([3, 5], 1024, 256, 1),
        U([0, 0], 1024, 256, 1),
        U([3, 0], 1024, 256, 1),
        U([3, 5], 512, 256, 1),
        U([5, 5], 1024, 256, 1),
        U([0, 0], 1024, 256, 1),
        U([0, 0], 1024, 256, 1),
        U([5, 0], 512, 256, 1),
    ],
    &[Conv(1, 960, 1)],
];

fn build(stages: &[&[Block]], classes: usize, init: &mut Init) -> Sequential {
    let mut net = Chain::new(Style::PYTORCH, init);
    net.stem(STEM, Activation::Relu);
    let stages = stages.iter().map(|stage| stage.iter());
    let channels = net.blocks(STEM, stages, |block, inputs, style, init| {
        layer(*block, inputs, style, init)
    });
    let [conv, norm] = net.parts(ConvConfig::new(channels, HIDDEN, 1));
    net.push("conv_head", Layer::Pooled(Pooled::new(conv)));
    net.push("norm_head", norm);
    net.activation("act2", Activation::Relu);
    let linear = classifier(HIDDEN, classes, net.init);
    net.push("classifier", linear);
    net.end()
}

fn layer(block: Block, inputs: usize, style: Style, init: &mut Init) -> (Layer, usize) {
    let function = Activation::Relu;
    match block {
        Conv(kernel, outputs, stride) => {
            let config = ConvConfig::new(inputs, outputs, kernel).with_stride(stride);
            (plain(config, function, false, style, init), outputs)
        }
        F(width, outputs) => {
            let block = Fused {
                inputs,
                width,
                outputs,
                kernel: 3,
                stride: 2,
                function,
            };
            (block.build(style, init), outputs)
        }
        U([start, middle], width, outputs, stride) => {
            let mut net = Chain::new(style, init);
            let mut part = |name: &str, config: ConvConfig, rectified: bool| {
                let mut part = Chain::new(style, net.init);
                part.unit(["conv", "bn"], config);
                if rectified {
                    part.activation("act", function);
                }
                let part = part.end();
                net.push(name, Layer::Sequential(part));
            };
            // The stride is in the last depthwise convolution.
            let depthwise = |channels, kernel, stride| {
                ConvConfig::new(channels, channels, kernel)
                    .with_stride(stride)
                    .with_groups(channels)
            };
            if start > 0 {
                let stride = if middle > 0 { 1 } else { stride };
                part("dw_start", depthwise(inputs, start, stride), false);
            }
            part("pw_exp", ConvConfig::new(inputs, width, 1), true);
            if middle > 0 {
                part("dw_mid", depthwise(width, middle, stride), true);
            }
            part("pw_proj", ConvConfig::new(width, outputs, 1), false);
            let shortcut = stride == 1 && inputs == outputs;
            (residual(net.end(), shortcut), outputs)
        }
    }
}
