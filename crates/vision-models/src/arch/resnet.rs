//! ResNet (He et al. 2015, <https://arxiv.org/abs/1512.03385>) as torchvision builds it.

use burn::module::Module;
use burn::tensor::Tensor;
use vision_kernels::ops::Activation;

use crate::arch::info::{ArchInfo, IMAGENET_MEAN, IMAGENET_SIZE, IMAGENET_STD, WeightsInfo};
use crate::init::Init;
use crate::layers::{
    AdaptiveAvgPool2d, BatchNorm, Conv2d, ConvConfig, Layer, Linear, MaxPool2d, Sequential,
};
use crate::parity::Tolerances;

const fn info(
    name: &'static str,
    features: usize,
    weights: WeightsInfo,
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
        weights: Some(weights),
        tolerances,
        build,
    }
}

pub(super) static RESNET18: ArchInfo = info(
    "resnet18",
    512,
    WeightsInfo::imagenet(
        "https://download.pytorch.org/models/resnet18-f37072fd.pth",
        44.661,
    ),
    Tolerances::gradients(5e-4),
    |classes, init| resnet(Block::Basic, [2, 2, 2, 2], classes, init),
);
pub(super) static RESNET34: ArchInfo = info(
    "resnet34",
    512,
    WeightsInfo::imagenet(
        "https://download.pytorch.org/models/resnet34-b627a593.pth",
        83.275,
    ),
    Tolerances::gradients(5e-4),
    |classes, init| resnet(Block::Basic, [3, 4, 6, 3], classes, init),
);
pub(super) static RESNET50: ArchInfo = info(
    "resnet50",
    2048,
    WeightsInfo::imagenet(
        "https://download.pytorch.org/models/resnet50-0676ba61.pth",
        97.781,
    ),
    Tolerances::gradients(3e-2),
    |classes, init| resnet(Block::Bottleneck, [3, 4, 6, 3], classes, init),
);
pub(super) static RESNET101: ArchInfo = info(
    "resnet101",
    2048,
    WeightsInfo::imagenet(
        "https://download.pytorch.org/models/resnet101-63fe2227.pth",
        170.511,
    ),
    Tolerances::gradients(6e-2).with_loss(3e-4),
    |classes, init| resnet(Block::Bottleneck, [3, 4, 23, 3], classes, init),
);
pub(super) static RESNET152: ArchInfo = info(
    "resnet152",
    2048,
    WeightsInfo::imagenet(
        "https://download.pytorch.org/models/resnet152-394f9c45.pth",
        230.434,
    ),
    Tolerances::gradients(1e-1).with_loss(3e-4),
    |classes, init| resnet(Block::Bottleneck, [3, 8, 36, 3], classes, init),
);

pub(super) static RESNEXT50_32X4D: ArchInfo = info(
    "resnext50_32x4d",
    2048,
    WeightsInfo::imagenet(
        "https://download.pytorch.org/models/resnext50_32x4d-1a0047aa.pth",
        95.833,
    ),
    Tolerances::gradients(3e-2),
    |classes, init| bottlenecks([3, 4, 6, 3], [32, 4], classes, init),
);
pub(super) static RESNEXT101_32X8D: ArchInfo = info(
    "resnext101_32x8d",
    2048,
    WeightsInfo::imagenet(
        "https://download.pytorch.org/models/resnext101_32x8d-110c445d.pth",
        339.673,
    ),
    Tolerances::gradients(6e-2).with_loss(3e-4),
    |classes, init| bottlenecks([3, 4, 23, 3], [32, 8], classes, init),
);
pub(super) static RESNEXT101_64X4D: ArchInfo = info(
    "resnext101_64x4d",
    2048,
    WeightsInfo::imagenet(
        "https://download.pytorch.org/models/resnext101_64x4d-173b62eb.pth",
        319.318,
    ),
    Tolerances::gradients(6e-2).with_loss(3e-4),
    |classes, init| bottlenecks([3, 4, 23, 3], [64, 4], classes, init),
);
pub(super) static WIDE_RESNET50_2: ArchInfo = info(
    "wide_resnet50_2",
    2048,
    WeightsInfo::imagenet(
        "https://download.pytorch.org/models/wide_resnet50_2-9ba9bcbe.pth",
        263.124,
    ),
    Tolerances::gradients(3e-2),
    |classes, init| bottlenecks([3, 4, 6, 3], [1, 128], classes, init),
);

/// The kind of residual block in a ResNet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Block {
    Basic,
    Bottleneck,
}

impl Block {
    /// Output channels divided by the block's width.
    fn expansion(self) -> usize {
        match self {
            Self::Basic => 1,
            Self::Bottleneck => 4,
        }
    }

    fn build(
        self,
        inputs: usize,
        width: usize,
        stride: usize,
        groups: Groups,
        init: &mut Init,
    ) -> Layer {
        match self {
            Self::Basic => Layer::BasicBlock(BasicBlock::new(inputs, width, stride, init)),
            Self::Bottleneck => {
                Layer::Bottleneck(Bottleneck::new(inputs, width, stride, groups, init))
            }
        }
    }
}

/// The middle convolution of a bottleneck: its groups, and the channels of each for a block of width 64.
#[derive(Clone, Copy, Debug)]
struct Groups {
    groups: usize,
    width: usize,
}

impl Groups {
    const ONE: Self = Self {
        groups: 1,
        width: 64,
    };
}

/// Builds a whole ResNet: conv1, bn1, relu, maxpool, layer1 .. layer4, avgpool, fc.
fn resnet(block: Block, depths: [usize; 4], classes: usize, init: &mut Init) -> Sequential {
    grouped(block, depths, Groups::ONE, classes, init)
}

/// A network of bottlenecks with groups of this number and width.
fn bottlenecks(
    depths: [usize; 4],
    [groups, width]: [usize; 2],
    classes: usize,
    init: &mut Init,
) -> Sequential {
    let groups = Groups { groups, width };
    grouped(Block::Bottleneck, depths, groups, classes, init)
}

fn grouped(
    block: Block,
    depths: [usize; 4],
    groups: Groups,
    classes: usize,
    init: &mut Init,
) -> Sequential {
    let mut net = Sequential::new();
    let stem = ConvConfig::new(3, 64, 7).with_stride(2).with_padding(3);
    net.push("conv1", Layer::Conv2d(stem.init(init)));
    net.push("bn1", Layer::BatchNorm(BatchNorm::new(64, init)));
    net.push("relu", Layer::Relu);
    net.push("maxpool", Layer::MaxPool2d(MaxPool2d::new(3, 2, 1)));
    let mut channels = 64;
    for (i, depth) in depths.into_iter().enumerate() {
        let width = 64 << i;
        let mut blocks = Vec::with_capacity(depth);
        for j in 0..depth {
            // Every stage except the first halves the image, in its first block.
            let stride = if i > 0 && j == 0 { 2 } else { 1 };
            blocks.push(block.build(channels, width, stride, groups, init));
            channels = width * block.expansion();
        }
        net.push(
            format!("layer{}", i + 1),
            Layer::Sequential(Sequential::numbered(blocks)),
        );
    }
    net.push(
        "avgpool",
        Layer::AdaptiveAvgPool2d(AdaptiveAvgPool2d::new(1)),
    );
    net.push("fc", Layer::Linear(Linear::new(channels, classes, init)));
    net
}

/// Two 3×3 convolutions with a shortcut.
#[derive(Module, Debug)]
pub struct BasicBlock {
    pub(crate) conv1: Conv2d,
    pub(crate) bn1: BatchNorm,
    pub(crate) conv2: Conv2d,
    pub(crate) bn2: BatchNorm,
    pub(crate) downsample: Option<Sequential>,
}

impl BasicBlock {
    fn new(inputs: usize, width: usize, stride: usize, init: &mut Init) -> Self {
        let first = ConvConfig::new(inputs, width, 3).with_padding(1);
        Self {
            conv1: first.with_stride(stride).init(init),
            bn1: BatchNorm::new(width, init),
            conv2: ConvConfig::new(width, width, 3).with_padding(1).init(init),
            bn2: BatchNorm::new(width, init),
            downsample: projection(inputs, width, stride, init),
        }
    }

    pub(crate) fn run(&self, x: Tensor<4>) -> Tensor<4> {
        let y = self
            .conv1
            .run_with(x.clone(), &self.bn1, None, Some(Activation::Relu));
        let residual = shortcut(self.downsample.as_ref(), x);
        self.conv2
            .run_with(y, &self.bn2, Some(residual), Some(Activation::Relu))
    }

    pub(crate) fn out_channels(&self) -> usize {
        self.bn2.weight.lazy_shape()[0]
    }

    pub(crate) fn leaves(&self) -> &'static [&'static str] {
        const LEAVES: [&str; 7] = [
            "conv1",
            "bn1",
            "relu",
            "conv2",
            "bn2",
            "downsample.0",
            "downsample.1",
        ];
        &LEAVES[..if self.downsample.is_some() { 7 } else { 5 }]
    }
}

/// A 1×1, a 3×3 and a 1×1 convolution with a shortcut. The stride is in the 3×3 convolution, as in
/// torchvision ("ResNet v1.5"), and not in the first 1×1 convolution as in the paper.
#[derive(Module, Debug)]
pub struct Bottleneck {
    pub(crate) conv1: Conv2d,
    pub(crate) bn1: BatchNorm,
    pub(crate) conv2: Conv2d,
    pub(crate) bn2: BatchNorm,
    pub(crate) conv3: Conv2d,
    pub(crate) bn3: BatchNorm,
    pub(crate) downsample: Option<Sequential>,
}

impl Bottleneck {
    fn new(inputs: usize, width: usize, stride: usize, groups: Groups, init: &mut Init) -> Self {
        let outputs = width * Block::Bottleneck.expansion();
        let width = width * groups.width / 64 * groups.groups;
        let middle = ConvConfig::new(width, width, 3)
            .with_padding(1)
            .with_groups(groups.groups);
        Self {
            conv1: ConvConfig::new(inputs, width, 1).init(init),
            bn1: BatchNorm::new(width, init),
            conv2: middle.with_stride(stride).init(init),
            bn2: BatchNorm::new(width, init),
            conv3: ConvConfig::new(width, outputs, 1).init(init),
            bn3: BatchNorm::new(outputs, init),
            downsample: projection(inputs, outputs, stride, init),
        }
    }

    pub(crate) fn run(&self, x: Tensor<4>) -> Tensor<4> {
        let y = self
            .conv1
            .run_with(x.clone(), &self.bn1, None, Some(Activation::Relu));
        let y = self
            .conv2
            .run_with(y, &self.bn2, None, Some(Activation::Relu));
        let residual = shortcut(self.downsample.as_ref(), x);
        self.conv3
            .run_with(y, &self.bn3, Some(residual), Some(Activation::Relu))
    }

    pub(crate) fn out_channels(&self) -> usize {
        self.bn3.weight.lazy_shape()[0]
    }

    pub(crate) fn leaves(&self) -> &'static [&'static str] {
        const LEAVES: [&str; 9] = [
            "conv1",
            "bn1",
            "conv2",
            "bn2",
            "conv3",
            "bn3",
            "relu",
            "downsample.0",
            "downsample.1",
        ];
        &LEAVES[..if self.downsample.is_some() { 9 } else { 7 }]
    }
}

/// The projection in the shortcut of a block that changes the shape: `downsample.0` and
/// `downsample.1`.
fn projection(inputs: usize, outputs: usize, stride: usize, init: &mut Init) -> Option<Sequential> {
    (stride != 1 || inputs != outputs).then(|| {
        let conv = ConvConfig::new(inputs, outputs, 1).with_stride(stride);
        let conv = Layer::Conv2d(conv.init(init));
        let bn = Layer::BatchNorm(BatchNorm::new(outputs, init));
        Sequential::numbered([conv, bn])
    })
}

fn shortcut(downsample: Option<&Sequential>, x: Tensor<4>) -> Tensor<4> {
    match downsample {
        Some(projection) => projection.run(x),
        None => x,
    }
}
