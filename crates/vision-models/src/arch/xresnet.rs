//! fastai v1's xresnet: a ResNet with the changes of "Bag of Tricks" (He et al. 2018,
//! <https://arxiv.org/abs/1812.01187>).
//!
//! fastai's own `cnn_learner` crashed with them, and there are no published weights.

use burn::module::Module;
use burn::tensor::Tensor;
use vision_kernels::ops::Activation;

use crate::arch::info::{ArchInfo, IMAGENET_MEAN, IMAGENET_SIZE, IMAGENET_STD};
use crate::init::{Init, WeightInit};
use crate::layers::{
    AdaptiveAvgPool2d, AvgPool2d, BatchNorm, ConvConfig, Layer, Linear, MaxPool2d, Sequential,
};
use crate::parity::Tolerances;

const fn info(
    name: &'static str,
    features: usize,
    tolerances: Tolerances,
    build: fn(usize, &mut Init) -> Sequential,
) -> ArchInfo {
    ArchInfo {
        name,
        cut: -3,
        split: &["1"],
        features,
        input_size: IMAGENET_SIZE,
        min_size: 1,
        patch: None,
        mean: IMAGENET_MEAN,
        std: IMAGENET_STD,
        weights: None,
        tolerances,
        build,
    }
}

// Tolerances: three to four times the difference between PyTorch's float32 and float64 results
// (make_parity_reference.py --measure). The deep ones end in batch norms over four values per
// channel, one per image of the reference input.
pub(super) static XRESNET18: ArchInfo = info(
    "xresnet18",
    512,
    Tolerances::gradients(1.5e-2),
    |classes, init| xresnet(1, &[2, 2, 2, 2], classes, init),
);
pub(super) static XRESNET34: ArchInfo = info(
    "xresnet34",
    512,
    Tolerances::gradients(1.5e-2),
    |classes, init| xresnet(1, &[3, 4, 6, 3], classes, init),
);
pub(super) static XRESNET50: ArchInfo = info(
    "xresnet50",
    2048,
    Tolerances::gradients(3e-2),
    |classes, init| xresnet(4, &[3, 4, 6, 3], classes, init),
);
pub(super) static XRESNET101: ArchInfo = info(
    "xresnet101",
    2048,
    Tolerances::gradients(1e-1).with_loss(3e-4),
    |classes, init| xresnet(4, &[3, 4, 23, 3], classes, init),
);
pub(super) static XRESNET152: ArchInfo = info(
    "xresnet152",
    2048,
    Tolerances::gradients(2e-1)
        .with_loss(1e-3)
        .with_buffers(3e-4),
    |classes, init| xresnet(4, &[3, 8, 36, 3], classes, init),
);
pub(super) static XRESNET18_DEEP: ArchInfo = info(
    "xresnet18_deep",
    256,
    Tolerances::gradients(2e-2),
    |classes, init| xresnet(1, &[2, 2, 2, 2, 1, 1], classes, init),
);
pub(super) static XRESNET34_DEEP: ArchInfo = info(
    "xresnet34_deep",
    256,
    Tolerances::gradients(2e-2),
    |classes, init| xresnet(1, &[3, 4, 6, 3, 1, 1], classes, init),
);
pub(super) static XRESNET50_DEEP: ArchInfo = info(
    "xresnet50_deep",
    1024,
    Tolerances::gradients(6e-2).with_loss(1e-3),
    |classes, init| xresnet(4, &[3, 4, 6, 3, 1, 1], classes, init),
);

/// Builds a whole xresnet: three convolutions, a pool, the stages, mean, flatten, linear. The names
/// of children are their positions.
fn xresnet(expansion: usize, depths: &[usize], classes: usize, init: &mut Init) -> Sequential {
    let mut layers = Vec::new();
    for (inputs, outputs, stride) in [(3, 32, 2), (32, 32, 1), (32, 64, 1)] {
        let conv = ConvConfig::new(inputs, outputs, 3).with_stride(stride);
        layers.push(Layer::Sequential(unit(conv, init)));
    }
    layers.push(Layer::MaxPool2d(MaxPool2d::new(3, 2, 1)));
    let mut channels = 64;
    let widths = [64, 128, 256, 512, 256, 256];
    for (i, (&depth, width)) in depths.iter().zip(widths).enumerate() {
        let mut stage = Vec::with_capacity(depth);
        for j in 0..depth {
            let stride = if i > 0 && j == 0 { 2 } else { 1 };
            let block = XResBlock::new(channels, width, expansion, stride, init);
            stage.push(Layer::XResBlock(block));
            channels = width * expansion;
        }
        layers.push(Layer::Sequential(Sequential::numbered(stage)));
    }
    let start = WeightInit::KaimingNormal;
    layers.extend([
        Layer::AdaptiveAvgPool2d(AdaptiveAvgPool2d::new(1)),
        Layer::Flatten,
        Layer::Linear(Linear::with_start(channels, classes, start, init)),
    ]);
    Sequential::numbered(layers)
}

/// Convolution and batch norm.
fn linear_unit(conv: ConvConfig, weight: f32, init: &mut Init) -> Sequential {
    let conv = conv
        .with_padding(conv.kernel_size / 2)
        .with_start(WeightInit::KaimingNormal);
    let mut norm = BatchNorm::new(conv.out_channels, init);
    norm.weight = norm.weight.map(|ones| ones.mul_scalar(weight));
    Sequential::numbered([Layer::Conv2d(conv.init(init)), Layer::BatchNorm(norm)])
}

/// Convolution, batch norm, ReLU.
fn unit(conv: ConvConfig, init: &mut Init) -> Sequential {
    let mut unit = linear_unit(conv, 1.0, init);
    unit.push("2", Layer::Relu);
    unit
}

/// Two 3×3 convolutions, or a 1×1, a 3×3 and a 1×1 convolution, with a shortcut that pools before
/// it projects.
#[derive(Module, Debug)]
pub struct XResBlock {
    pub(crate) convs: Sequential,
    pub(crate) idconv: Option<Sequential>,
    #[module(skip)]
    pub(crate) pool: Option<AvgPool2d>,
}

impl XResBlock {
    fn new(inputs: usize, width: usize, expansion: usize, stride: usize, init: &mut Init) -> Self {
        let outputs = width * expansion;
        let mut convs = if expansion == 1 {
            let first = ConvConfig::new(inputs, width, 3).with_stride(stride);
            vec![unit(first, init)]
        } else {
            let middle = ConvConfig::new(width, width, 3).with_stride(stride);
            vec![
                unit(ConvConfig::new(inputs, width, 1), init),
                unit(middle, init),
            ]
        };
        let last = ConvConfig::new(width, outputs, if expansion == 1 { 3 } else { 1 });
        // Weight 0, so that a new block equals its shortcut.
        convs.push(linear_unit(last, 0.0, init));
        let projection = ConvConfig::new(inputs, outputs, 1);
        Self {
            convs: Sequential::numbered(convs.into_iter().map(Layer::Sequential)),
            idconv: (inputs != outputs).then(|| linear_unit(projection, 1.0, init)),
            pool: (stride != 1).then(|| AvgPool2d::new(stride).with_ceil_mode()),
        }
    }

    pub(crate) fn run(&self, x: Tensor<4>) -> Tensor<4> {
        let residual = match &self.pool {
            Some(pool) => pool.run(x.clone()),
            None => x.clone(),
        };
        let residual = match &self.idconv {
            Some(projection) => projection.run(residual),
            None => residual,
        };
        self.convs.run_onto(x, residual, Some(Activation::Relu))
    }

    pub(crate) fn has_pool(&self) -> bool {
        self.pool.is_some()
    }

    pub(crate) fn out_channels(&self) -> Option<usize> {
        self.convs.out_channels()
    }

    pub(crate) fn leaves_under(&self, name: &str, out: &mut Vec<String>) {
        self.convs.leaves_under(&format!("{name}.convs"), out);
        if let Some(projection) = &self.idconv {
            projection.leaves_under(&format!("{name}.idconv"), out);
        }
        if self.pool.is_some() {
            out.push(format!("{name}.pool"));
        }
    }
}
