//! MobileNet V2 (Sandler et al. 2018, <https://arxiv.org/abs/1801.04381>) as torchvision builds it.

use burn::module::Module;
use burn::tensor::Tensor;

use crate::arch::info::{ArchInfo, IMAGENET_MEAN, IMAGENET_SIZE, IMAGENET_STD, WeightsInfo};
use crate::init::{Init, WeightInit};
use crate::layers::{BatchNorm, ConvConfig, Dropout, Layer, Linear, Pooled, Sequential};
use crate::parity::Tolerances;

pub(super) static MOBILENET_V2: ArchInfo = ArchInfo {
    name: "mobilenet_v2",
    cut: -1,
    split: &["0.0.10", "1"],
    features: 1280,
    input_size: IMAGENET_SIZE,
    min_size: 1,
    patch: None,
    mean: IMAGENET_MEAN,
    std: IMAGENET_STD,
    weights: Some(WeightsInfo::imagenet(
        "https://download.pytorch.org/models/mobilenet_v2-b0353104.pth",
        13.555,
    )),
    // If noise of float32 size is added after each convolution, PyTorch's float64 result differs by
    // 3.7e-2 in this one gradient, and by less than 1e-2 in all others (make_parity_reference.py
    // --measure): a value lies at the kink of a ReLU6.
    tolerances: Tolerances::gradients(1e-2).with_kink("features.2.conv.0.1.weight", 5.0),
    build: mobilenet_v2,
};

/// Stages of the paper's table 2: expansion, channels, blocks, stride of the first block.
const STAGES: [(usize, usize, usize, usize); 7] = [
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
];
const LAST: usize = 1280;

/// Builds the whole MobileNet V2: `features` and `classifier`.
fn mobilenet_v2(classes: usize, init: &mut Init) -> Sequential {
    let stem = ConvConfig::new(3, 32, 3).with_stride(2).with_padding(1);
    let mut features = vec![unit(stem, init)];
    let mut channels = 32;
    for (expansion, outputs, depth, first_stride) in STAGES {
        for i in 0..depth {
            let stride = if i == 0 { first_stride } else { 1 };
            let block = InvertedResidual::new(channels, outputs, expansion, stride, init);
            features.push(Layer::InvertedResidual(block));
            channels = outputs;
        }
    }
    features.push(unit(ConvConfig::new(channels, LAST, 1), init));

    let linear = Linear::with_start(LAST, classes, WeightInit::Normal(0.01), init);
    let classifier = Sequential::numbered([
        Layer::Dropout(Dropout::new(0.2, init.dropout())),
        Layer::Linear(linear),
    ]);
    let mut net = Sequential::new();
    net.push(
        "features",
        Layer::Sequential(Sequential::numbered(features)),
    );
    net.push(
        "classifier",
        Layer::Pooled(Pooled::new(Layer::Sequential(classifier))),
    );
    net
}

/// Convolution, batch norm, ReLU6.
fn unit(conv: ConvConfig, init: &mut Init) -> Layer {
    Layer::Sequential(Sequential::numbered([
        Layer::Conv2d(conv.init(init)),
        Layer::BatchNorm(BatchNorm::new(conv.out_channels, init)),
        Layer::Relu6,
    ]))
}

/// MobileNet V2's inverted residual: a 1×1 convolution to more channels, a 3×3 depthwise
/// convolution, a 1×1 convolution back, and a shortcut where the shape stays the same.
#[derive(Module, Debug)]
pub struct InvertedResidual {
    pub(crate) conv: Sequential,
    #[module(skip)]
    pub(crate) shortcut: bool,
}

impl InvertedResidual {
    fn new(
        inputs: usize,
        outputs: usize,
        expansion: usize,
        stride: usize,
        init: &mut Init,
    ) -> Self {
        let width = inputs * expansion;
        let mut layers = Vec::new();
        if expansion != 1 {
            layers.push(unit(ConvConfig::new(inputs, width, 1), init));
        }
        let depthwise = ConvConfig::new(width, width, 3)
            .with_stride(stride)
            .with_padding(1)
            .with_groups(width);
        layers.push(unit(depthwise, init));
        let narrow = ConvConfig::new(width, outputs, 1);
        layers.push(Layer::Conv2d(narrow.init(init)));
        layers.push(Layer::BatchNorm(BatchNorm::new(outputs, init)));
        Self {
            conv: Sequential::numbered(layers),
            shortcut: stride == 1 && inputs == outputs,
        }
    }

    pub(crate) fn run(&self, x: Tensor<4>) -> Tensor<4> {
        if self.shortcut {
            self.conv.run_onto(x.clone(), x, None)
        } else {
            self.conv.run(x)
        }
    }

    pub(crate) fn out_channels(&self) -> Option<usize> {
        self.conv.out_channels()
    }

    pub(crate) fn leaves_under(&self, name: &str, out: &mut Vec<String>) {
        self.conv.leaves_under(&format!("{name}.conv"), out);
    }
}
