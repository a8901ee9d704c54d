//! DenseNet-BC (Huang et al. 2016, <https://arxiv.org/abs/1608.06993>) as torchvision builds it.

use burn::module::Module;
use burn::tensor::Tensor;
use vision_kernels::ops::Activation;

use crate::arch::info::{ArchInfo, IMAGENET_MEAN, IMAGENET_SIZE, IMAGENET_STD, WeightsInfo};
use crate::init::{Init, WeightInit};
use crate::layers::{
    AvgPool2d, BatchNorm, Conv2d, ConvConfig, Layer, Linear, MaxPool2d, Pooled, Sequential,
    concat_channels,
};
use crate::parity::Tolerances;

const fn info(
    name: &'static str,
    features: usize,
    weights: WeightsInfo,
    build: fn(usize, &mut Init) -> Sequential,
) -> ArchInfo {
    ArchInfo {
        name,
        cut: -1,
        split: &["0.0.transition2", "1"],
        features,
        input_size: IMAGENET_SIZE,
        min_size: 29,
        patch: None,
        mean: IMAGENET_MEAN,
        std: IMAGENET_STD,
        weights: Some(weights),
        tolerances: Tolerances::gradients(7e-3),
        build,
    }
}

pub(super) static DENSENET121: ArchInfo = info(
    "densenet121",
    1024,
    WeightsInfo::imagenet(
        "https://download.pytorch.org/models/densenet121-a639ec97.pth",
        30.845,
    ),
    |classes, init| densenet(32, [6, 12, 24, 16], classes, init),
);
pub(super) static DENSENET169: ArchInfo = info(
    "densenet169",
    1664,
    WeightsInfo::imagenet(
        "https://download.pytorch.org/models/densenet169-b2777c0a.pth",
        54.708,
    ),
    |classes, init| densenet(32, [6, 12, 32, 32], classes, init),
);
pub(super) static DENSENET201: ArchInfo = info(
    "densenet201",
    1920,
    WeightsInfo::imagenet(
        "https://download.pytorch.org/models/densenet201-c1103571.pth",
        77.373,
    ),
    |classes, init| densenet(32, [6, 12, 48, 32], classes, init),
);
pub(super) static DENSENET161: ArchInfo = info(
    "densenet161",
    2208,
    WeightsInfo::imagenet(
        "https://download.pytorch.org/models/densenet161-8d451a50.pth",
        110.369,
    ),
    |classes, init| densenet(48, [6, 12, 36, 24], classes, init),
);

/// Builds a whole DenseNet: `features` (conv0 .. norm5) and `classifier`. Each layer adds `growth`
/// channels.
///
/// The ReLU after norm5 belongs to the classifier, because it is not a child of torchvision's
/// model. So a body that ends before the classifier ends in a batch norm.
fn densenet(growth: usize, depths: [usize; 4], classes: usize, init: &mut Init) -> Sequential {
    let mut features = Sequential::new();
    let mut channels = 2 * growth;
    let stem = conv(3, channels, 7).with_stride(2);
    features.push("conv0", Layer::Conv2d(stem.init(init)));
    features.push("norm0", Layer::BatchNorm(BatchNorm::new(channels, init)));
    features.push("relu0", Layer::Relu);
    features.push("pool0", Layer::MaxPool2d(MaxPool2d::new(3, 2, 1)));
    for (i, depth) in (1..).zip(depths) {
        let mut block = Sequential::new();
        for j in 1..=depth {
            let layer = DenseLayer::new(channels, growth, init);
            block.push(format!("denselayer{j}"), Layer::DenseLayer(layer));
            channels += growth;
        }
        features.push(format!("denseblock{i}"), Layer::Sequential(block));
        if i < depths.len() {
            let transition = transition(channels, init);
            features.push(format!("transition{i}"), Layer::Sequential(transition));
            channels /= 2;
        }
    }
    features.push("norm5", Layer::BatchNorm(BatchNorm::new(channels, init)));

    let mut classifier = Linear::new(channels, classes, init);
    classifier.bias = Some(init.zeros([classes]));
    let classifier = Pooled::new(Layer::Linear(classifier)).with_relu();
    let mut net = Sequential::new();
    net.push("features", Layer::Sequential(features));
    net.push("classifier", Layer::Pooled(classifier));
    net
}

/// A convolution that keeps the image size.
fn conv(inputs: usize, outputs: usize, kernel: usize) -> ConvConfig {
    ConvConfig::new(inputs, outputs, kernel)
        .with_padding(kernel / 2)
        .with_start(WeightInit::KaimingNormal)
}

/// Halves the channels, and the height and width of the image.
fn transition(channels: usize, init: &mut Init) -> Sequential {
    let mut net = Sequential::new();
    net.push("norm", Layer::BatchNorm(BatchNorm::new(channels, init)));
    net.push("relu", Layer::Relu);
    let conv = conv(channels, channels / 2, 1);
    net.push("conv", Layer::Conv2d(conv.init(init)));
    net.push("pool", Layer::AvgPool2d(AvgPool2d::new(2)));
    net
}

/// Batch norm, ReLU and convolution, twice. The result is appended to the channels of the input.
///
/// torchvision's block passes a list of maps to its layers, and each layer concatenates them. To
/// concatenate the input and the result here is equivalent, and makes a block a plain
/// [`Sequential`].
#[derive(Module, Debug)]
pub struct DenseLayer {
    pub(crate) norm1: BatchNorm,
    pub(crate) conv1: Conv2d,
    pub(crate) norm2: BatchNorm,
    pub(crate) conv2: Conv2d,
}

impl DenseLayer {
    pub(crate) const LEAVES: [&str; 6] = ["norm1", "relu1", "conv1", "norm2", "relu2", "conv2"];

    fn new(inputs: usize, growth: usize, init: &mut Init) -> Self {
        let width = 4 * growth;
        Self {
            norm1: BatchNorm::new(inputs, init),
            conv1: conv(inputs, width, 1).init(init),
            norm2: BatchNorm::new(width, init),
            conv2: conv(width, growth, 3).init(init),
        }
    }

    pub(crate) fn run(&self, x: Tensor<4>) -> Tensor<4> {
        let y = self.norm1.run(x.clone(), None, Some(Activation::Relu));
        let y = self
            .conv1
            .run_with(y, &self.norm2, None, Some(Activation::Relu));
        let y = self.conv2.run(y);
        concat_channels(vec![x, y])
    }

    pub(crate) fn out_channels(&self) -> usize {
        self.norm1.weight.lazy_shape()[0] + self.conv2.weight.lazy_shape()[0]
    }
}
