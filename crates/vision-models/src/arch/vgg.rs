//! VGG (Simonyan & Zisserman 2014, <https://arxiv.org/abs/1409.1556>) with batch norm, as torchvision builds it.

use crate::arch::info::{ArchInfo, IMAGENET_MEAN, IMAGENET_SIZE, IMAGENET_STD, WeightsInfo};
use crate::init::{Init, WeightInit};
use crate::layers::{
    AdaptiveAvgPool2d, BatchNorm, ConvConfig, Dropout, Layer, Linear, MaxPool2d, Sequential,
};
use crate::parity::Tolerances;

const fn info(
    name: &'static str,
    weights: WeightsInfo,
    build: fn(usize, &mut Init) -> Sequential,
) -> ArchInfo {
    ArchInfo {
        name,
        cut: -1,
        // fastai's index, whatever module is there: a convolution in VGG-11, a batch norm in
        // VGG-13, a ReLU in the others.
        split: &["0.0.22", "1"],
        features: 512,
        input_size: IMAGENET_SIZE,
        min_size: 32,
        patch: None,
        mean: IMAGENET_MEAN,
        std: IMAGENET_STD,
        weights: Some(weights),
        tolerances: Tolerances::gradients(3e-2),
        build,
    }
}

pub(super) static VGG11_BN: ArchInfo = info(
    "vgg11_bn",
    WeightsInfo::imagenet(
        "https://download.pytorch.org/models/vgg11_bn-6002323d.pth",
        506.881,
    ),
    |classes, init| vgg([1, 1, 2, 2, 2], classes, init),
);
pub(super) static VGG13_BN: ArchInfo = info(
    "vgg13_bn",
    WeightsInfo::imagenet(
        "https://download.pytorch.org/models/vgg13_bn-abd245e5.pth",
        507.59,
    ),
    |classes, init| vgg([2, 2, 2, 2, 2], classes, init),
);
pub(super) static VGG16_BN: ArchInfo = info(
    "vgg16_bn",
    WeightsInfo::imagenet(
        "https://download.pytorch.org/models/vgg16_bn-6c64b313.pth",
        527.866,
    ),
    |classes, init| vgg([2, 2, 3, 3, 3], classes, init),
);
pub(super) static VGG19_BN: ArchInfo = info(
    "vgg19_bn",
    WeightsInfo::imagenet(
        "https://download.pytorch.org/models/vgg19_bn-c79401a0.pth",
        548.143,
    ),
    |classes, init| vgg([2, 2, 4, 4, 4], classes, init),
);

/// Builds a whole VGG: `features`, `avgpool` (to 7 × 7, which stays in the body) and `classifier`.
fn vgg(depths: [usize; 5], classes: usize, init: &mut Init) -> Sequential {
    let mut features = Vec::new();
    let mut channels = 3;
    for (depth, width) in depths.into_iter().zip([64, 128, 256, 512, 512]) {
        for _ in 0..depth {
            let conv = ConvConfig::new(channels, width, 3)
                .with_padding(1)
                .with_bias();
            features.push(Layer::Conv2d(conv.init(init)));
            features.push(Layer::BatchNorm(BatchNorm::new(width, init)));
            features.push(Layer::Relu);
            channels = width;
        }
        features.push(Layer::MaxPool2d(MaxPool2d::new(2, 2, 0)));
    }
    let mut linear = |inputs, outputs| {
        let start = WeightInit::Normal(0.01);
        Layer::Linear(Linear::with_start(inputs, outputs, start, init))
    };
    let linears = [
        linear(channels * 7 * 7, 4096),
        linear(4096, 4096),
        linear(4096, classes),
    ];
    let dropout = || Layer::Dropout(Dropout::new(0.5, init.dropout()));
    let [first, second, third] = linears;
    let classifier = [
        first,
        Layer::Relu,
        dropout(),
        second,
        Layer::Relu,
        dropout(),
        third,
    ];
    let mut net = Sequential::new();
    net.push(
        "features",
        Layer::Sequential(Sequential::numbered(features)),
    );
    net.push(
        "avgpool",
        Layer::AdaptiveAvgPool2d(AdaptiveAvgPool2d::new(7)),
    );
    net.push(
        "classifier",
        Layer::Sequential(Sequential::numbered(classifier)),
    );
    net
}
