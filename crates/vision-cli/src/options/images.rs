//! Options that say how images become batches.

use serde::Serialize;

// No documentation comment: clap would take it for the description of the command.
#[derive(Clone, Debug, Default, clap::Args, Serialize)]
#[serde(rename_all = "kebab-case")]
#[command(next_help_heading = "Images")]
pub(crate) struct ImageOptions {
    /// Side of the square images in pixels [default: 224]
    #[arg(long, value_name = "PIXELS")]
    pub(crate) size: Option<usize>,
    /// Images in a batch [default: 64, or all training images if there are fewer]
    #[arg(long, value_name = "NUMBER")]
    pub(crate) batch_size: Option<usize>,
    /// Whether training images are flipped, rotated, zoomed, warped and lit at random [default: true]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub(crate) augment: Option<bool>,
    /// Device: cpu, cuda, cuda:1, wgpu .. (see `vision devices`) [default: the first GPU, or else the CPU]
    #[arg(long, value_name = "NAME")]
    pub(crate) device: Option<String>,
}
