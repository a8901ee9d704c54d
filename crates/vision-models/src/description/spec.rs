//! The settings of each kind of layer.

use serde::{Deserialize, Serialize};

/// Layers in sequence with their names.
pub(super) type Children = Vec<(String, Spec)>;

/// One layer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Spec {
    Conv2d(Conv),
    BatchNorm(Norm),
    Relu,
    Relu6,
    Activation(Function),
    MaxPool2d {
        kernel: usize,
        stride: usize,
        padding: usize,
        ceil: bool,
    },
    AvgPool2d(MeanPool),
    AdaptiveAvgPool2d {
        size: usize,
    },
    AdaptiveConcatPool2d,
    Flatten,
    Dropout {
        p: f64,
    },
    Linear {
        inputs: usize,
        outputs: usize,
        bias: bool,
    },
    Sequential(Children),
    Pooled {
        relu: bool,
        then: Box<Spec>,
    },
    Shortcut(Children),
    /// The same with layers in the shortcut or a ReLU after the sum.
    Residual {
        layers: Children,
        downsample: Option<Children>,
        relu: bool,
    },
    Gate(Children),
    BasicBlock {
        conv1: Conv,
        bn1: Norm,
        conv2: Conv,
        bn2: Norm,
        downsample: Option<Children>,
    },
    Bottleneck {
        conv1: Conv,
        bn1: Norm,
        conv2: Conv,
        bn2: Norm,
        conv3: Conv,
        bn3: Norm,
        downsample: Option<Children>,
    },
    Fire {
        squeeze: Conv,
        expand1x1: Conv,
        expand3x3: Conv,
    },
    DenseLayer {
        norm1: Norm,
        conv1: Conv,
        norm2: Norm,
        conv2: Conv,
    },
    InvertedResidual {
        conv: Children,
        shortcut: bool,
    },
    XResBlock {
        convs: Children,
        idconv: Option<Children>,
        pool: Option<MeanPool>,
    },
    LayerNorm(PixelNorm),
    ConvNextBlock {
        conv_dw: Conv,
        norm: PixelNorm,
        mlp: Mlp,
        scale: bool,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        drop_path: Option<f64>,
    },
    Tokens {
        channels: usize,
        /// Side of the learned grid, in patches.
        grid: usize,
        /// Whether the class token has a position.
        class: bool,
    },
    TransformerBlock {
        norm1: PixelNorm,
        heads: usize,
        qkv: Pointwise,
        proj: Pointwise,
        norm2: PixelNorm,
        mlp: Mlp,
        scale: bool,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        drop_path: Option<f64>,
    },
    ClassToken,
}

/// A function of each value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Function {
    Silu,
    HardSwish,
    HardSigmoid,
    Sigmoid,
    Gelu,
}

/// A convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Conv {
    pub(super) inputs: usize,
    pub(super) outputs: usize,
    pub(super) kernel: usize,
    pub(super) stride: usize,
    pub(super) padding: usize,
    /// TensorFlow's padding instead.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) same: bool,
    pub(super) groups: usize,
    pub(super) bias: bool,
}

/// A batch norm.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Norm {
    pub(super) channels: usize,
    pub(super) momentum: f64,
    pub(super) epsilon: f64,
}

/// A mean over windows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MeanPool {
    pub(super) size: usize,
    pub(super) ceil: bool,
}

/// A layer norm.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PixelNorm {
    pub(super) channels: usize,
    pub(super) epsilon: f64,
}

/// A linear map of the channels of each pixel or token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Pointwise {
    pub(super) inputs: usize,
    pub(super) outputs: usize,
    pub(super) bias: bool,
    /// Whether it is a 1×1 convolution.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) conv: bool,
}

/// Two linear maps with GELU between them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Mlp {
    pub(super) fc1: Pointwise,
    /// A global response normalization after GELU.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) grn: bool,
    pub(super) fc2: Pointwise,
}
