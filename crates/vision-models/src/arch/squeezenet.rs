//! SqueezeNet (Iandola et al. 2016, <https://arxiv.org/abs/1602.07360>) as torchvision builds it.

use burn::module::Module;
use burn::tensor::Tensor;
use vision_kernels::ops::relu;

use crate::arch::info::{ArchInfo, IMAGENET_MEAN, IMAGENET_SIZE, IMAGENET_STD, WeightsInfo};
use crate::init::{Init, WeightInit};
use crate::layers::{
    AdaptiveAvgPool2d, Conv2d, ConvConfig, Dropout, Layer, MaxPool2d, Sequential, concat_channels,
};
use crate::parity::Tolerances;

const fn info(
    name: &'static str,
    min_size: usize,
    weights: WeightsInfo,
    build: fn(usize, &mut Init) -> Sequential,
) -> ArchInfo {
    ArchInfo {
        name,
        cut: -1,
        split: &["0.0.5", "0.0.8", "1"],
        features: 512,
        input_size: IMAGENET_SIZE,
        min_size,
        patch: None,
        mean: IMAGENET_MEAN,
        std: IMAGENET_STD,
        weights: Some(weights),
        tolerances: Tolerances::gradients(2e-4),
        build,
    }
}

pub(super) static SQUEEZENET1_0: ArchInfo = info(
    "squeezenet1_0",
    21,
    WeightsInfo::imagenet(
        "https://download.pytorch.org/models/squeezenet1_0-b66bff10.pth",
        4.778,
    ),
    |classes, init| squeezenet(ConvConfig::new(3, 96, 7), [3, 7], classes, init),
);
pub(super) static SQUEEZENET1_1: ArchInfo = info(
    "squeezenet1_1",
    17,
    WeightsInfo::imagenet(
        "https://download.pytorch.org/models/squeezenet1_1-b8a52dc0.pth",
        4.729,
    ),
    |classes, init| squeezenet(ConvConfig::new(3, 64, 3), [2, 4], classes, init),
);

/// Channels between the two halves of each fire module. The output has eight times as many.
const SQUEEZED: [usize; 8] = [16, 16, 32, 32, 48, 48, 64, 64];

/// Builds a whole SqueezeNet: `features` and `classifier`. Pools come before the fire modules with
/// the indices `pools`.
fn squeezenet(stem: ConvConfig, pools: [usize; 2], classes: usize, init: &mut Init) -> Sequential {
    let pool = || Layer::MaxPool2d(MaxPool2d::new(3, 2, 0).with_ceil_mode());
    let stem = stem
        .with_stride(2)
        .with_bias()
        .with_start(WeightInit::KaimingUniform);
    let mut features = vec![Layer::Conv2d(stem.init(init)), Layer::Relu, pool()];
    let mut channels = stem.out_channels;
    for (i, squeezed) in SQUEEZED.into_iter().enumerate() {
        if pools.contains(&i) {
            features.push(pool());
        }
        features.push(Layer::Fire(Fire::new(channels, squeezed, init)));
        channels = 8 * squeezed;
    }
    let last = ConvConfig::new(channels, classes, 1)
        .with_bias()
        .with_start(WeightInit::Normal(0.01));
    let classifier = [
        Layer::Dropout(Dropout::new(0.5, init.dropout())),
        Layer::Conv2d(last.init(init)),
        Layer::Relu,
        Layer::AdaptiveAvgPool2d(AdaptiveAvgPool2d::new(1)),
    ];
    let mut net = Sequential::new();
    net.push(
        "features",
        Layer::Sequential(Sequential::numbered(features)),
    );
    net.push(
        "classifier",
        Layer::Sequential(Sequential::numbered(classifier)),
    );
    net
}

/// A fire module: a 1×1 convolution to few channels, then a 1×1 and a 3×3 convolution side by side.
#[derive(Module, Debug)]
pub struct Fire {
    pub(crate) squeeze: Conv2d,
    pub(crate) expand1x1: Conv2d,
    pub(crate) expand3x3: Conv2d,
}

impl Fire {
    pub(crate) const LEAVES: [&str; 6] = [
        "squeeze",
        "squeeze_activation",
        "expand1x1",
        "expand1x1_activation",
        "expand3x3",
        "expand3x3_activation",
    ];

    fn new(inputs: usize, squeezed: usize, init: &mut Init) -> Self {
        let conv = |inputs, outputs, kernel| {
            ConvConfig::new(inputs, outputs, kernel)
                .with_padding(kernel / 2)
                .with_bias()
                .with_start(WeightInit::KaimingUniform)
        };
        Self {
            squeeze: conv(inputs, squeezed, 1).init(init),
            expand1x1: conv(squeezed, 4 * squeezed, 1).init(init),
            expand3x3: conv(squeezed, 4 * squeezed, 3).init(init),
        }
    }

    pub(crate) fn run(&self, x: Tensor<4>) -> Tensor<4> {
        let x = relu(self.squeeze.run(x));
        let small = relu(self.expand1x1.run(x.clone()));
        let large = relu(self.expand3x3.run(x));
        concat_channels(vec![small, large])
    }

    pub(crate) fn out_channels(&self) -> usize {
        let outputs = |conv: &Conv2d| conv.weight.lazy_shape()[0];
        outputs(&self.expand1x1) + outputs(&self.expand3x3)
    }
}
