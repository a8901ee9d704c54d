//! AlexNet (Krizhevsky 2014, <https://arxiv.org/abs/1404.5997>) as torchvision builds it.

use crate::arch::info::{ArchInfo, IMAGENET_MEAN, IMAGENET_SIZE, IMAGENET_STD, WeightsInfo};
use crate::init::{Init, WeightInit};
use crate::layers::{AdaptiveAvgPool2d, ConvConfig, Dropout, Layer, Linear, MaxPool2d, Sequential};
use crate::parity::Tolerances;

pub(super) static ALEXNET: ArchInfo = ArchInfo {
    name: "alexnet",
    cut: -1,
    split: &["0.0.6", "1"],
    features: 256,
    input_size: IMAGENET_SIZE,
    min_size: 63,
    patch: None,
    mean: IMAGENET_MEAN,
    std: IMAGENET_STD,
    weights: Some(WeightsInfo::imagenet(
        "https://download.pytorch.org/models/alexnet-owt-7be5be79.pth",
        233.087,
    )),
    tolerances: Tolerances::gradients(5e-3),
    build: alexnet,
};

/// Builds the whole AlexNet: `features`, `avgpool` (to 6 × 6, which stays in the body) and
/// `classifier`.
fn alexnet(classes: usize, init: &mut Init) -> Sequential {
    let mut conv = |inputs, outputs, kernel, stride, padding| {
        let conv = ConvConfig::new(inputs, outputs, kernel)
            .with_stride(stride)
            .with_padding(padding)
            .with_bias()
            .with_start(WeightInit::PyTorch);
        Layer::Conv2d(conv.init(init))
    };
    let pool = || Layer::MaxPool2d(MaxPool2d::new(3, 2, 0));
    let features = [
        conv(3, 64, 11, 4, 2),
        Layer::Relu,
        pool(),
        conv(64, 192, 5, 1, 2),
        Layer::Relu,
        pool(),
        conv(192, 384, 3, 1, 1),
        Layer::Relu,
        conv(384, 256, 3, 1, 1),
        Layer::Relu,
        conv(256, 256, 3, 1, 1),
        Layer::Relu,
        pool(),
    ];
    let classifier = [
        Layer::Dropout(Dropout::new(0.5, init.dropout())),
        Layer::Linear(Linear::new(256 * 6 * 6, 4096, init)),
        Layer::Relu,
        Layer::Dropout(Dropout::new(0.5, init.dropout())),
        Layer::Linear(Linear::new(4096, 4096, init)),
        Layer::Relu,
        Layer::Linear(Linear::new(4096, classes, init)),
    ];
    let mut net = Sequential::new();
    net.push(
        "features",
        Layer::Sequential(Sequential::numbered(features)),
    );
    net.push(
        "avgpool",
        Layer::AdaptiveAvgPool2d(AdaptiveAvgPool2d::new(6)),
    );
    net.push(
        "classifier",
        Layer::Sequential(Sequential::numbered(classifier)),
    );
    net
}
