//! Vision transformers (Dosovitskiy et al. 2020, <https://arxiv.org/abs/2010.11929>) as timm builds them: ViT, DeiT III
//! (Touvron et al. 2022, <https://arxiv.org/abs/2204.07118>) and DINOv2 (Oquab et al. 2023,
//! <https://arxiv.org/abs/2304.07193>).

use burn::module::Module;
use burn::tensor::Tensor;
use vision_kernels::ops;

use crate::arch::info::{ArchInfo, IMAGENET_MEAN, IMAGENET_SIZE, IMAGENET_STD, WeightsInfo};
use crate::init::{Init, WeightInit};
use crate::layers::{
    ConvConfig, DropPath, Layer, LayerNorm, LayerScale, Linear, Mlp, Sequential, TRANSFORMER_START,
    Tokens, add_branch, class_token,
};
use crate::parity::Tolerances;

/// Sizes of a vision transformer of twelve blocks.
struct Sizes {
    channels: usize,
    /// Side of a patch in pixels.
    patch: usize,
    /// Side of the images that it was trained on, in pixels.
    image: usize,
    /// What the branches of a block are multiplied with at the start, if they are.
    scale: Option<f64>,
    /// Whether the class token has a position.
    class: bool,
}

const DEPTH: usize = 12;
/// Channels of a head.
const HEAD: usize = 64;

const fn vit(channels: usize) -> Sizes {
    Sizes {
        channels,
        patch: 16,
        image: IMAGENET_SIZE,
        scale: None,
        class: true,
    }
}

const fn deit3(channels: usize) -> Sizes {
    Sizes {
        scale: Some(1e-6),
        class: false,
        ..vit(channels)
    }
}

const fn dinov2(channels: usize) -> Sizes {
    Sizes {
        patch: 14,
        image: 518,
        scale: Some(1e-5),
        ..vit(channels)
    }
}

const fn info(
    name: &'static str,
    sizes: &Sizes,
    [mean, std]: [[f32; 3]; 2],
    repository: &'static str,
    build: fn(usize, &mut Init) -> Sequential,
) -> ArchInfo {
    ArchInfo {
        name,
        cut: -1,
        // The second half of the blocks begins the second group.
        split: &["0.2.6", "1"],
        features: sizes.channels,
        input_size: sizes.image,
        min_size: sizes.patch,
        patch: Some(sizes.patch),
        mean,
        std,
        weights: Some(WeightsInfo::hub(repository)),
        tolerances: Tolerances::gradients(1e-4),
        build,
    }
}

/// The entry of a network, named as in timm.
macro_rules! entries {
    ($($entry:ident = $name:literal, $sizes:expr, $stats:expr, $repository:literal;)+) => {
        $(pub(super) static $entry: ArchInfo = info($name, &$sizes, $stats, $repository, |classes, init| {
            transformer(&$sizes, classes, init)
        });)+
    };
}

const HALF: [[f32; 3]; 2] = [[0.5; 3]; 2];
const IMAGENET: [[f32; 3]; 2] = [IMAGENET_MEAN, IMAGENET_STD];

entries! {
    VIT_TINY = "vit_tiny_patch16_224", vit(192), HALF, "timm/vit_tiny_patch16_224.augreg_in21k_ft_in1k";
    VIT_SMALL = "vit_small_patch16_224", vit(384), HALF, "timm/vit_small_patch16_224.augreg_in21k_ft_in1k";
    VIT_BASE = "vit_base_patch16_224", vit(768), HALF, "timm/vit_base_patch16_224.augreg2_in21k_ft_in1k";
    DEIT3_SMALL = "deit3_small_patch16_224", deit3(384), IMAGENET, "timm/deit3_small_patch16_224.fb_in22k_ft_in1k";
    DEIT3_BASE = "deit3_base_patch16_224", deit3(768), IMAGENET, "timm/deit3_base_patch16_224.fb_in22k_ft_in1k";
    DINOV2_SMALL = "vit_small_patch14_dinov2", dinov2(384), IMAGENET, "timm/vit_small_patch14_dinov2.lvd142m";
    DINOV2_BASE = "vit_base_patch14_dinov2", dinov2(768), IMAGENET, "timm/vit_base_patch14_dinov2.lvd142m";
}

/// Builds the whole network: `patch_embed`, the tokens, `blocks`, `norm`, the class token and `head`. Children that have
/// no parameters in timm are called as its modules with the same output.
fn transformer(sizes: &Sizes, classes: usize, init: &mut Init) -> Sequential {
    let channels = sizes.channels;
    let mut net = Sequential::new();
    let patches = ConvConfig::new(3, channels, sizes.patch)
        .with_stride(sizes.patch)
        .with_bias()
        .with_start(WeightInit::PyTorch);
    let mut patch_embed = Sequential::new();
    patch_embed.push("proj", Layer::Conv2d(patches.init(init)));
    net.push("patch_embed", Layer::Sequential(patch_embed));
    let grid = sizes.image / sizes.patch;
    let tokens = Tokens::new(channels, grid, sizes.class, init);
    net.push("pos_drop", Layer::Tokens(tokens));
    let blocks: Vec<_> = (0..DEPTH)
        .map(|i| Layer::TransformerBlock(TransformerBlock::new(sizes, i, init)))
        .collect();
    net.push("blocks", Layer::Sequential(Sequential::numbered(blocks)));
    net.push("norm", Layer::LayerNorm(LayerNorm::new(channels, init)));
    net.push("fc_norm", Layer::ClassToken);
    let head = Linear::with_start(channels, classes, TRANSFORMER_START, init);
    net.push("head", Layer::Linear(head));
    net
}

/// A block of a transformer: attention, then two linear maps with GELU between them, each after a layer norm and added to
/// its input.
#[derive(Module, Debug)]
pub struct TransformerBlock {
    pub(crate) norm1: LayerNorm,
    pub(crate) attn: Attention,
    pub(crate) ls1: Option<LayerScale>,
    pub(crate) drop_path1: Option<DropPath>,
    pub(crate) norm2: LayerNorm,
    pub(crate) mlp: Mlp,
    pub(crate) ls2: Option<LayerScale>,
    pub(crate) drop_path2: Option<DropPath>,
}

impl TransformerBlock {
    fn new(sizes: &Sizes, at: usize, init: &mut Init) -> Self {
        let channels = sizes.channels;
        let mut linear = |outputs| Linear::with_start(channels, outputs, TRANSFORMER_START, init);
        let attn = Attention {
            qkv: linear(3 * channels),
            proj: linear(channels),
            heads: channels / HEAD,
        };
        let scale = |init: &Init| {
            let gamma = init.full([channels], sizes.scale?);
            Some(LayerScale { gamma })
        };
        Self {
            norm1: LayerNorm::new(channels, init),
            attn,
            ls1: scale(init),
            drop_path1: init.drop_path(at, DEPTH),
            norm2: LayerNorm::new(channels, init),
            mlp: Mlp::new(channels, 4 * channels, false, TRANSFORMER_START, init),
            ls2: scale(init),
            drop_path2: init.drop_path(at, DEPTH),
        }
    }

    pub(crate) fn run(&self, x: Tensor<4>) -> Tensor<4> {
        self.run_for(x, |tokens| tokens)
    }

    /// The output for the class token alone: what follows the attention is computed for no other.
    pub(crate) fn run_class_token(&self, x: Tensor<4>) -> Tensor<4> {
        self.run_for(x, class_token)
    }

    /// The output for the tokens that `of` takes of all.
    fn run_for(&self, x: Tensor<4>, of: fn(Tensor<4>) -> Tensor<4>) -> Tensor<4> {
        let y = self.attn.qkv.run(self.norm1.run(x.clone()));
        let y = self.attn.proj.run(of(self.attn.attend(y)));
        let x = add(of(x), y, self.ls1.as_ref(), self.drop_path1.as_ref());
        let y = self.mlp.run(self.norm2.run(x.clone()));
        add(x, y, self.ls2.as_ref(), self.drop_path2.as_ref())
    }

    pub(crate) fn out_channels(&self) -> usize {
        self.mlp.fc2.sizes()[1]
    }

    pub(crate) fn leaves_under(&self, name: &str, out: &mut Vec<String>) {
        let scale = |name: &'static str| self.ls1.as_ref().map(|_| name);
        let first = ["norm1", "attn.qkv", "attn.proj"].into_iter();
        let first = first.chain(scale("ls1")).chain(["norm2"]);
        out.extend(first.map(|part| format!("{name}.{part}")));
        self.mlp.leaves_under(&format!("{name}.mlp"), out);
        out.extend(scale("ls2").map(|part| format!("{name}.{part}")));
    }
}

/// The input, and its branch with a scale and stochastic depth.
fn add(
    x: Tensor<4>,
    y: Tensor<4>,
    scale: Option<&LayerScale>,
    drop_path: Option<&DropPath>,
) -> Tensor<4> {
    add_branch(x, y, scale.map(|scale| &scale.gamma), drop_path)
}

/// Attention of each token to all tokens, in several heads.
#[derive(Module, Debug)]
pub struct Attention {
    /// To the queries of all heads, the keys, the values.
    pub(crate) qkv: Linear,
    pub(crate) proj: Linear,
    #[module(skip)]
    pub(crate) heads: usize,
}

impl Attention {
    /// Between the two linear maps.
    pub(crate) fn attend(&self, qkv: Tensor<4>) -> Tensor<4> {
        let [n, h, w, channels] = qkv.dims();
        let y = ops::attention(qkv.reshape([n, 1, h * w, channels]), self.heads);
        y.reshape([n, h, w, channels / 3])
    }
}
