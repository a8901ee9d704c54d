//! timm's variants of ResNet: ResNet-D (He et al. 2018, <https://arxiv.org/abs/1812.01187>), whose stem is three 3x3
//! convolutions and whose shortcuts begin with a mean over windows, and blocks with squeeze and excitation.

use crate::arch::info::{ArchInfo, IMAGENET_MEAN, IMAGENET_SIZE, IMAGENET_STD, WeightsInfo};
use crate::init::Init;
use crate::layers::{
    Activation, AdaptiveAvgPool2d, AvgPool2d, BatchNorm, ConvConfig, Gate, Layer, Linear,
    MaxPool2d, Sequential, Shortcut,
};
use crate::parity::Tolerances;

const fn info(
    name: &'static str,
    repository: &'static str,
    features: usize,
    tolerances: Tolerances,
    build: fn(usize, &mut Init) -> Sequential,
) -> ArchInfo {
    ArchInfo {
        name,
        cut: -2,
        split: &["0.6", "1"],
        features,
        input_size: IMAGENET_SIZE,
        min_size: 1,
        patch: None,
        mean: IMAGENET_MEAN,
        std: IMAGENET_STD,
        weights: Some(WeightsInfo::hub(repository)),
        tolerances,
        build,
    }
}

pub(super) static RESNET18D: ArchInfo = info(
    "resnet18d",
    "timm/resnet18d.ra2_in1k",
    512,
    Tolerances::gradients(3e-3),
    |classes, init| build(&Variant::D, false, [2, 2, 2, 2], classes, init),
);
pub(super) static RESNET34D: ArchInfo = info(
    "resnet34d",
    "timm/resnet34d.ra2_in1k",
    512,
    Tolerances::gradients(3e-3),
    |classes, init| build(&Variant::D, false, [3, 4, 6, 3], classes, init),
);
pub(super) static RESNET50D: ArchInfo = info(
    "resnet50d",
    "timm/resnet50d.a1_in1k",
    2048,
    Tolerances::gradients(3e-2),
    |classes, init| build(&Variant::D, true, [3, 4, 6, 3], classes, init),
);
pub(super) static RESNET101D: ArchInfo = info(
    "resnet101d",
    "timm/resnet101d.ra2_in1k",
    2048,
    Tolerances::gradients(6e-2).with_loss(3e-4),
    |classes, init| build(&Variant::D, true, [3, 4, 23, 3], classes, init),
);
pub(super) static SERESNET50: ArchInfo = info(
    "seresnet50",
    "timm/seresnet50.a1_in1k",
    2048,
    Tolerances::gradients(3e-2),
    |classes, init| build(&Variant::SE, true, [3, 4, 6, 3], classes, init),
);
pub(super) static SERESNEXT50_32X4D: ArchInfo = info(
    "seresnext50_32x4d",
    "timm/seresnext50_32x4d.racm_in1k",
    2048,
    Tolerances::gradients(3e-2),
    |classes, init| build(&Variant::SE_NEXT, true, [3, 4, 6, 3], classes, init),
);

#[derive(Clone, Copy, Debug)]
struct Variant {
    /// ResNet-D.
    d: bool,
    /// Squeeze and excitation.
    se: bool,
    /// Groups of the middle convolution of a bottleneck.
    groups: usize,
    /// Channels of each group for a block of width 64.
    base: usize,
}

impl Variant {
    const D: Self = Self {
        d: true,
        se: false,
        groups: 1,
        base: 64,
    };
    const SE: Self = Self {
        d: false,
        se: true,
        ..Self::D
    };
    const SE_NEXT: Self = Self {
        groups: 32,
        base: 4,
        ..Self::SE
    };
}

fn build(
    variant: &Variant,
    bottleneck: bool,
    depths: [usize; 4],
    classes: usize,
    init: &mut Init,
) -> Sequential {
    let mut net = Sequential::new();
    if variant.d {
        let mut stem = Vec::new();
        let first = ConvConfig::new(3, 32, 3).with_stride(2).with_padding(1);
        stem.push(Layer::Conv2d(first.init(init)));
        for outputs in [32, 64] {
            stem.push(Layer::BatchNorm(BatchNorm::new(32, init)));
            stem.push(Layer::Relu);
            let next = ConvConfig::new(32, outputs, 3).with_padding(1);
            stem.push(Layer::Conv2d(next.init(init)));
        }
        net.push("conv1", Layer::Sequential(Sequential::numbered(stem)));
    } else {
        let stem = ConvConfig::new(3, 64, 7).with_stride(2).with_padding(3);
        net.push("conv1", Layer::Conv2d(stem.init(init)));
    }
    net.push("bn1", Layer::BatchNorm(BatchNorm::new(64, init)));
    net.push("act1", Layer::Relu);
    net.push("maxpool", Layer::MaxPool2d(MaxPool2d::new(3, 2, 1)));
    let mut channels = 64;
    for (i, depth) in depths.into_iter().enumerate() {
        let width = 64 << i;
        let outputs = if bottleneck { 4 * width } else { width };
        let mut blocks = Vec::with_capacity(depth);
        for j in 0..depth {
            let stride = if i > 0 && j == 0 { 2 } else { 1 };
            let sizes = [channels, width, outputs];
            blocks.push(block(variant, bottleneck, sizes, stride, init));
            channels = outputs;
        }
        let stage = Layer::Sequential(Sequential::numbered(blocks));
        net.push(format!("layer{}", i + 1), stage);
    }
    let pool = Layer::AdaptiveAvgPool2d(AdaptiveAvgPool2d::new(1));
    net.push("global_pool", pool);
    net.push("fc", Layer::Linear(Linear::new(channels, classes, init)));
    net
}

fn block(
    variant: &Variant,
    bottleneck: bool,
    [inputs, width, outputs]: [usize; 3],
    stride: usize,
    init: &mut Init,
) -> Layer {
    let inner = width * variant.base / 64 * variant.groups;
    let convs = if bottleneck {
        vec![
            ConvConfig::new(inputs, inner, 1),
            ConvConfig::new(inner, inner, 3)
                .with_stride(stride)
                .with_padding(1)
                .with_groups(variant.groups),
            ConvConfig::new(inner, outputs, 1),
        ]
    } else {
        vec![
            ConvConfig::new(inputs, width, 3)
                .with_stride(stride)
                .with_padding(1),
            ConvConfig::new(width, outputs, 3).with_padding(1),
        ]
    };
    let last = convs.len();
    let mut net = Sequential::new();
    for (i, conv) in (1..).zip(convs) {
        net.push(format!("conv{i}"), Layer::Conv2d(conv.init(init)));
        let mut norm = BatchNorm::new(conv.out_channels, init);
        if i == last {
            // timm's start: each block begins as its shortcut.
            norm.weight = init.zeros([outputs]);
        }
        net.push(format!("bn{i}"), Layer::BatchNorm(norm));
        if i < last {
            net.push(format!("act{i}"), Layer::Relu);
        }
    }
    if variant.se {
        let mut conv = |inputs, outputs| {
            let config = ConvConfig::new(inputs, outputs, 1).with_bias();
            Layer::Conv2d(config.init(init))
        };
        let se = Sequential::named([
            ("fc1", conv(outputs, outputs / 16)),
            ("act", Layer::Relu),
            ("fc2", conv(outputs / 16, outputs)),
            ("gate", Layer::Activation(Activation::Sigmoid)),
        ]);
        net.push("se", Layer::Gate(Gate::new(se)));
    }
    let block = Shortcut::new(net).with_relu();
    Layer::Shortcut(match projection(variant, [inputs, outputs], stride, init) {
        Some(projection) => block.with_downsample(projection),
        None => block,
    })
}

/// The projection in the shortcut of a block that changes the shape.
fn projection(
    variant: &Variant,
    [inputs, outputs]: [usize; 2],
    stride: usize,
    init: &mut Init,
) -> Option<Sequential> {
    if stride == 1 && inputs == outputs {
        return None;
    }
    let mut net = Sequential::new();
    let mut conv = ConvConfig::new(inputs, outputs, 1);
    if !variant.d {
        conv = conv.with_stride(stride);
    } else if stride > 1 {
        let pool = AvgPool2d::new(stride).with_ceil_mode();
        net.push("0", Layer::AvgPool2d(pool));
    }
    // In ResNet-D, position 0 is the pool's, also where there is none.
    let first = usize::from(variant.d);
    net.push(first.to_string(), Layer::Conv2d(conv.init(init)));
    let norm = Layer::BatchNorm(BatchNorm::new(outputs, init));
    net.push((first + 1).to_string(), norm);
    Some(net)
}
