//! Layers with PyTorch's parameter names, layout, initialization and numbers.
//!
//! They store what a PyTorch state dict stores (`weight` is `[out, in]` in [`Linear`];
//! [`BatchNorm`] has `weight`, `bias`, `running_mean` and `running_var`), so checkpoints can be
//! exchanged in both directions without a table of renames or transpositions. Training follows
//! Burn's rule: a layer is in training mode if its input is on an autodiff device *and* its own
//! `training` flag is set.

mod batch_norm;
mod channels;
mod conv;
mod drop_path;
mod dropout;
mod gate;
mod layer;
mod layer_norm;
mod layer_scale;
mod linear;
mod mlp;
mod pointwise;
mod pool;
mod pooled;
mod response_norm;
mod sequential;
mod shortcut;
mod tokens;

pub use batch_norm::BatchNorm;
pub(crate) use channels::{channels_first, channels_last, concat_channels, flatten};
pub use conv::{Conv2d, ConvConfig, SamePadding};
pub use drop_path::DropPath;
pub(crate) use drop_path::dropped;
pub use dropout::{Dropout, RandomStream};
pub use gate::Gate;
pub use layer::Layer;
pub use layer_norm::LayerNorm;
pub use layer_scale::LayerScale;
pub(crate) use layer_scale::add_branch;
pub use linear::Linear;
pub use mlp::Mlp;
pub use pointwise::Pointwise;
pub use pool::{AdaptiveAvgPool2d, AdaptiveConcatPool2d, AvgPool2d, MaxPool2d};
pub use pooled::Pooled;
pub use response_norm::ResponseNorm;
pub use sequential::Sequential;
pub(crate) use shortcut::DOWNSAMPLE;
pub use shortcut::Shortcut;
pub(crate) use tokens::{TRANSFORMER_START, class_token};
pub use tokens::{Tokens, nearest_multiple};
pub use vision_kernels::ops::Activation;
