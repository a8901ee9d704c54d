//! Options that say how images become batches.

use clap::ValueEnum;
use serde::Serialize;
use vision::data::ResizeMethod;

// No documentation comment: clap would take it for the description of the command.
#[derive(Clone, Debug, Default, clap::Args, Serialize)]
#[serde(rename_all = "kebab-case")]
#[command(next_help_heading = "Images")]
pub(crate) struct ImageOptions {
    /// Side of the square images in pixels [default: 224]
    #[arg(long, value_name = "PIXELS")]
    pub(crate) size: Option<usize>,
    /// How images become square: cut off, padded with their mirror image, or without keeping the aspect ratio [default: crop]
    #[arg(long, value_name = "METHOD")]
    pub(crate) resize: Option<Resize>,
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

/// The resize methods that give a square.
#[derive(Clone, Copy, Debug, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Resize {
    Crop,
    Pad,
    Squish,
}

impl From<Resize> for ResizeMethod {
    fn from(resize: Resize) -> Self {
        match resize {
            Resize::Crop => Self::Crop,
            Resize::Pad => Self::Pad,
            Resize::Squish => Self::Squish,
        }
    }
}
