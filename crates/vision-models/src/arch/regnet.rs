//! RegNetY (Radosavovic et al. 2020, <https://arxiv.org/abs/2003.13678>) with timm's names: residual blocks of a grouped
//! convolution with squeeze and excitation.

use crate::arch::info::{ArchInfo, IMAGENET_MEAN, IMAGENET_SIZE, IMAGENET_STD, WeightsInfo};
use crate::arch::mbconv::started;
use crate::init::{Init, WeightInit};
use crate::layers::{
    Activation, BatchNorm, ConvConfig, Gate, Layer, Linear, Pooled, Sequential, Shortcut,
};
use crate::parity::Tolerances;

const fn info(
    name: &'static str,
    features: usize,
    weights: Option<WeightsInfo>,
    build: fn(usize, &mut Init) -> Sequential,
) -> ArchInfo {
    ArchInfo {
        name,
        cut: -1,
        // The stage with 1/16 of the image's side begins the second group.
        split: &["0.3", "1"],
        features,
        input_size: IMAGENET_SIZE,
        min_size: 1,
        patch: None,
        mean: IMAGENET_MEAN,
        std: IMAGENET_STD,
        weights,
        tolerances: Tolerances::gradients(3e-2),
        build,
    }
}

pub(super) static REGNETY_004: ArchInfo = info(
    "regnety_004",
    440,
    Some(WeightsInfo::hub("timm/regnety_004.tv2_in1k")),
    |classes, init| build(8, [1, 3, 6, 6], [48, 104, 208, 440], classes, init),
);
pub(super) static REGNETY_008: ArchInfo = info(
    "regnety_008",
    768,
    Some(WeightsInfo::hub("timm/regnety_008.pycls_in1k")),
    |classes, init| build(16, [1, 3, 8, 2], [64, 128, 320, 768], classes, init),
);
pub(super) static REGNETY_016: ArchInfo = ArchInfo {
    tolerances: Tolerances::gradients(3e-2).with_logits(1e-3),
    ..info(
        "regnety_016",
        888,
        Some(WeightsInfo::hub("timm/regnety_016.tv2_in1k")),
        |classes, init| build(24, [2, 6, 17, 2], [48, 120, 336, 888], classes, init),
    )
};
pub(super) static REGNETY_032: ArchInfo = ArchInfo {
    tolerances: Tolerances::gradients(1e-1),
    ..info(
        "regnety_032",
        1512,
        Some(WeightsInfo::hub("timm/regnety_032.ra_in1k")),
        |classes, init| build(24, [2, 5, 13, 1], [72, 216, 576, 1512], classes, init),
    )
};
pub(super) static REGNETY_040: ArchInfo = ArchInfo {
    tolerances: Tolerances::gradients(2e-1),
    ..info(
        "regnety_040",
        1088,
        Some(WeightsInfo::hub("timm/regnety_040.ra3_in1k")),
        |classes, init| build(64, [2, 6, 12, 2], [128, 192, 512, 1088], classes, init),
    )
};
pub(super) static REGNETY_064: ArchInfo = ArchInfo {
    tolerances: Tolerances::gradients(3e-2).with_logits(3e-4),
    ..info(
        "regnety_064",
        1296,
        Some(WeightsInfo::hub("timm/regnety_064.ra3_in1k")),
        |classes, init| build(72, [2, 7, 14, 2], [144, 288, 576, 1296], classes, init),
    )
};
pub(super) static REGNETY_080: ArchInfo = info(
    "regnety_080",
    2016,
    Some(WeightsInfo::hub("timm/regnety_080.ra3_in1k")),
    |classes, init| build(56, [2, 4, 10, 1], [168, 448, 896, 2016], classes, init),
);
// torchvision's networks of these two sizes are others than timm's.
pub(super) static REGNET_Y_800MF: ArchInfo = info(
    "regnet_y_800mf",
    784,
    Some(WeightsInfo::imagenet(
        "https://download.pytorch.org/models/regnet_y_800mf-58fc7688.pth",
        24.774,
    )),
    |classes, init| build(16, [1, 3, 8, 2], [64, 144, 320, 784], classes, init),
);
pub(super) static REGNET_Y_8GF: ArchInfo = info(
    "regnet_y_8gf",
    2016,
    Some(WeightsInfo::imagenet(
        "https://download.pytorch.org/models/regnet_y_8gf-dc2b1b54.pth",
        150.701,
    )),
    |classes, init| build(56, [2, 4, 10, 1], [224, 448, 896, 2016], classes, init),
);

const STEM: usize = 32;

/// Builds a network of `group` channels in each group of the convolutions, and these numbers of blocks and channels of its
/// four stages.
fn build(
    group: usize,
    depths: [usize; 4],
    widths: [usize; 4],
    classes: usize,
    init: &mut Init,
) -> Sequential {
    let mut net = Sequential::new();
    let stem = ConvConfig::new(3, STEM, 3).with_stride(2);
    net.push("stem", unit(stem, true, init));
    let mut channels = STEM;
    for (stage, (depth, width)) in (1..).zip(depths.into_iter().zip(widths)) {
        let mut blocks = Sequential::new();
        for i in 0..depth {
            let stride = if i == 0 { 2 } else { 1 };
            blocks.push(
                format!("b{}", i + 1),
                block(group, [channels, width], stride, init),
            );
            channels = width;
        }
        net.push(format!("s{stage}"), Layer::Sequential(blocks));
    }
    let linear = Linear::with_start(channels, classes, WeightInit::Normal(0.01), init);
    let mut head = Sequential::new();
    head.push("fc", Layer::Linear(linear));
    net.push("head", Layer::Pooled(Pooled::new(Layer::Sequential(head))));
    net
}

fn block(group: usize, [inputs, width]: [usize; 2], stride: usize, init: &mut Init) -> Layer {
    let mut net = Sequential::new();
    net.push("conv1", unit(ConvConfig::new(inputs, width, 1), true, init));
    let middle = ConvConfig::new(width, width, 3)
        .with_stride(stride)
        .with_groups(width / group);
    net.push("conv2", unit(middle, true, init));
    // A quarter of the block's inputs, rounded to even as Python does.
    let squeezed = (inputs as f64 / 4.0).round_ties_even() as usize;
    let mut conv = |inputs, outputs| {
        let config = ConvConfig::new(inputs, outputs, 1).with_bias();
        Layer::Conv2d(started(false, config).init(init))
    };
    let se = Sequential::named([
        ("fc1", conv(width, squeezed)),
        ("act", Layer::Relu),
        ("fc2", conv(squeezed, width)),
        ("gate", Layer::Activation(Activation::Sigmoid)),
    ]);
    net.push("se", Layer::Gate(Gate::new(se)));
    net.push("conv3", unit(ConvConfig::new(width, width, 1), false, init));
    let block = Shortcut::new(net).with_relu();
    Layer::Shortcut(if stride == 1 && inputs == width {
        block
    } else {
        let projection = ConvConfig::new(inputs, width, 1).with_stride(stride);
        block.with_downsample(parts(projection, false, init))
    })
}

fn unit(config: ConvConfig, relu: bool, init: &mut Init) -> Layer {
    Layer::Sequential(parts(config, relu, init))
}

/// A convolution with padding for the size of its input, and its batch norm.
fn parts(config: ConvConfig, relu: bool, init: &mut Init) -> Sequential {
    let config = started(false, config);
    let mut net = Sequential::new();
    net.push("conv", Layer::Conv2d(config.init(init)));
    net.push(
        "bn",
        Layer::BatchNorm(BatchNorm::new(config.out_channels, init)),
    );
    if relu {
        net.push("act", Layer::Relu);
    }
    net
}
