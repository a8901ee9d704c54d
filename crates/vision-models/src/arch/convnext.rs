//! ConvNeXt (Liu et al. 2022, <https://arxiv.org/abs/2201.03545>) and ConvNeXt V2 (Woo et al. 2023,
//! <https://arxiv.org/abs/2301.00808>) as timm builds them.

use burn::module::{Module, Param};
use burn::tensor::Tensor;

use crate::arch::info::{ArchInfo, IMAGENET_MEAN, IMAGENET_SIZE, IMAGENET_STD, WeightsInfo};
use crate::init::{Init, WeightInit};
use crate::layers::{
    Conv2d, ConvConfig, DropPath, Layer, LayerNorm, Linear, Mlp, Pooled, Sequential, add_branch,
};
use crate::parity::Tolerances;

/// Sizes of a ConvNeXt.
struct Sizes {
    /// Blocks of each stage.
    depths: [usize; 4],
    /// Channels of each stage.
    dims: [usize; 4],
    /// Whether the linear maps of its blocks are 1×1 convolutions, which decides the shape of their weights.
    conv: bool,
    /// V2: a global response normalization in each block, and no scale of its branch.
    v2: bool,
}

const fn sizes(depths: [usize; 4], width: usize) -> Sizes {
    Sizes {
        depths,
        dims: [width, 2 * width, 4 * width, 8 * width],
        // timm's: in the small ones.
        conv: depths[0] == 2,
        v2: false,
    }
}

const ATTO: Sizes = sizes([2, 2, 6, 2], 40);
const FEMTO: Sizes = sizes([2, 2, 6, 2], 48);
const PICO: Sizes = sizes([2, 2, 6, 2], 64);
const NANO: Sizes = sizes([2, 2, 8, 2], 80);
const TINY: Sizes = sizes([3, 3, 9, 3], 96);
const SMALL: Sizes = sizes([3, 3, 27, 3], 96);
const BASE: Sizes = sizes([3, 3, 27, 3], 128);

const fn info(
    name: &'static str,
    sizes: &Sizes,
    weights: Option<WeightsInfo>,
    build: fn(usize, &mut Init) -> Sequential,
) -> ArchInfo {
    ArchInfo {
        name,
        cut: -1,
        // The stages with 1/16 of the image's side begin the second group, as in ResNets.
        split: &["0.1.2", "1"],
        features: sizes.dims[3],
        input_size: IMAGENET_SIZE,
        // Four pixels by the stem, and three times two by the stages.
        min_size: 32,
        patch: None,
        mean: IMAGENET_MEAN,
        std: IMAGENET_STD,
        weights,
        tolerances: Tolerances::gradients(1e-4),
        build,
    }
}

/// The entry of a network, named as in timm.
macro_rules! entries {
    ($($entry:ident = $name:literal, $sizes:ident, $v2:literal, $weights:expr;)+) => {
        $(pub(super) static $entry: ArchInfo = info($name, &$sizes, $weights, |classes, init| {
            convnext(&Sizes { v2: $v2, ..$sizes }, classes, init)
        });)+
    };
}

entries! {
    CONVNEXT_ATTO = "convnext_atto", ATTO, false, Some(WeightsInfo::hub("timm/convnext_atto.d2_in1k"));
    CONVNEXT_FEMTO = "convnext_femto", FEMTO, false, Some(WeightsInfo::hub("timm/convnext_femto.d1_in1k"));
    CONVNEXT_PICO = "convnext_pico", PICO, false, Some(WeightsInfo::hub("timm/convnext_pico.d1_in1k"));
    CONVNEXT_NANO = "convnext_nano", NANO, false, Some(WeightsInfo::hub("timm/convnext_nano.in12k_ft_in1k"));
    CONVNEXT_TINY = "convnext_tiny", TINY, false, Some(WeightsInfo::hub("timm/convnext_tiny.in12k_ft_in1k"));
    CONVNEXT_SMALL = "convnext_small", SMALL, false, Some(WeightsInfo::hub("timm/convnext_small.in12k_ft_in1k"));
    CONVNEXT_BASE = "convnext_base", BASE, false, Some(WeightsInfo::hub("timm/convnext_base.fb_in22k_ft_in1k"));
    CONVNEXTV2_ATTO = "convnextv2_atto", ATTO, true, Some(WeightsInfo::hub("timm/convnextv2_atto.fcmae_ft_in1k"));
    CONVNEXTV2_FEMTO = "convnextv2_femto", FEMTO, true, Some(WeightsInfo::hub("timm/convnextv2_femto.fcmae_ft_in1k"));
    CONVNEXTV2_PICO = "convnextv2_pico", PICO, true, Some(WeightsInfo::hub("timm/convnextv2_pico.fcmae_ft_in1k"));
    CONVNEXTV2_NANO = "convnextv2_nano", NANO, true, Some(WeightsInfo::hub("timm/convnextv2_nano.fcmae_ft_in22k_in1k"));
    CONVNEXTV2_TINY = "convnextv2_tiny", TINY, true, Some(WeightsInfo::hub("timm/convnextv2_tiny.fcmae_ft_in22k_in1k"));
    CONVNEXTV2_SMALL = "convnextv2_small", SMALL, true, None;
    CONVNEXTV2_BASE = "convnextv2_base", BASE, true, Some(WeightsInfo::hub("timm/convnextv2_base.fcmae_ft_in22k_in1k"));
}

/// timm's start, a normal distribution that is cut off at a hundred deviations.
const START: WeightInit = WeightInit::Normal(0.02);
/// What the branch of a block of V1 is multiplied with at the start.
const SCALE: f64 = 1e-6;

/// Builds the whole network: `stem`, `stages` and `head`, which normalizes the mean over the image.
fn convnext(sizes: &Sizes, classes: usize, init: &mut Init) -> Sequential {
    let patches = |inputs, outputs, side, init: &mut Init| {
        let conv = ConvConfig::new(inputs, outputs, side).with_stride(side);
        Layer::Conv2d(conv.with_bias().with_start(START).init(init))
    };
    let stem = [
        patches(3, sizes.dims[0], 4, init),
        Layer::LayerNorm(LayerNorm::new(sizes.dims[0], init)),
    ];
    let mut net = Sequential::new();
    net.push("stem", Layer::Sequential(Sequential::numbered(stem)));

    let (mut stages, mut done) = (Vec::new(), 0);
    let mut inputs = sizes.dims[0];
    for (i, (depth, channels)) in sizes.depths.into_iter().zip(sizes.dims).enumerate() {
        let mut stage = Sequential::new();
        if i > 0 {
            let downsample = [
                Layer::LayerNorm(LayerNorm::new(inputs, init)),
                patches(inputs, channels, 2, init),
            ];
            let downsample = Sequential::numbered(downsample);
            stage.push("downsample", Layer::Sequential(downsample));
        }
        let blocks: Vec<_> = (done..done + depth)
            .map(|at| Layer::ConvNextBlock(ConvNextBlock::new(sizes, channels, at, init)))
            .collect();
        stage.push("blocks", Layer::Sequential(Sequential::numbered(blocks)));
        stages.push(Layer::Sequential(stage));
        (inputs, done) = (channels, done + depth);
    }
    net.push("stages", Layer::Sequential(Sequential::numbered(stages)));

    let mut head = Sequential::new();
    head.push("norm", Layer::LayerNorm(LayerNorm::new(inputs, init)));
    let fc = Linear::with_start(inputs, classes, START, init);
    head.push("fc", Layer::Linear(fc));
    net.push("head", Layer::Pooled(Pooled::new(Layer::Sequential(head))));
    net
}

/// ConvNeXt's block: a 7×7 depthwise convolution, a layer norm and two linear maps with GELU between them, added to the
/// input.
#[derive(Module, Debug)]
pub struct ConvNextBlock {
    /// V1: a factor for each channel of the branch.
    pub(crate) gamma: Option<Param<Tensor<1>>>,
    pub(crate) conv_dw: Conv2d,
    pub(crate) norm: LayerNorm,
    pub(crate) mlp: Mlp,
    pub(crate) drop_path: Option<DropPath>,
}

impl ConvNextBlock {
    /// Block `at` of all stages.
    fn new(sizes: &Sizes, channels: usize, at: usize, init: &mut Init) -> Self {
        let conv = ConvConfig::new(channels, channels, 7)
            .with_padding(3)
            .with_groups(channels)
            .with_bias()
            .with_start(START);
        let conv_dw = conv.init(init);
        let mlp = Mlp::new(channels, 4 * channels, sizes.conv, START, init);
        Self {
            gamma: (!sizes.v2).then(|| init.full([channels], SCALE)),
            conv_dw,
            norm: LayerNorm::new(channels, init),
            mlp: match sizes.v2 {
                true => mlp.with_response_norm(init),
                false => mlp,
            },
            drop_path: init.drop_path(at, sizes.depths.iter().sum()),
        }
    }

    pub(crate) fn run(&self, x: Tensor<4>) -> Tensor<4> {
        let y = self.norm.run(self.conv_dw.run(x.clone()));
        self.add(x, self.mlp.run(y))
    }

    /// The end of the branch `y`, and the sum with the input `x`.
    pub(crate) fn add(&self, x: Tensor<4>, y: Tensor<4>) -> Tensor<4> {
        add_branch(x, y, self.gamma.as_ref(), self.drop_path.as_ref())
    }

    pub(crate) fn out_channels(&self) -> usize {
        self.mlp.fc2.sizes()[1]
    }

    pub(crate) fn leaves_under(&self, name: &str, out: &mut Vec<String>) {
        out.extend(["conv_dw", "norm"].map(|part| format!("{name}.{part}")));
        self.mlp.leaves_under(&format!("{name}.mlp"), out);
    }
}
