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
mod dropout;
mod gate;
mod layer;
mod linear;
mod pool;
mod pooled;
mod sequential;
mod shortcut;

pub use batch_norm::BatchNorm;
pub(crate) use channels::{channels_first, channels_last, concat_channels, flatten};
pub use conv::{Conv2d, ConvConfig, SamePadding};
pub use dropout::{Dropout, RandomStream};
pub use gate::Gate;
pub use layer::Layer;
pub use linear::Linear;
pub use pool::{AdaptiveAvgPool2d, AdaptiveConcatPool2d, AvgPool2d, MaxPool2d};
pub use pooled::Pooled;
pub use sequential::Sequential;
pub(crate) use shortcut::DOWNSAMPLE;
pub use shortcut::Shortcut;
pub use vision_kernels::ops::Activation;
