//! Options of the course of a training.

use std::path::PathBuf;

use clap::ValueEnum;
use serde::Serialize;
use vision::learner::Precision;

use crate::options::lr::Lr;

// No documentation comment: clap would take it for the description of the command.
#[derive(Clone, Debug, Default, clap::Args, Serialize)]
#[serde(rename_all = "kebab-case")]
#[command(next_help_heading = "Training")]
pub(crate) struct CourseOptions {
    /// Epochs in which everything trains [default: 4]
    #[arg(long, value_name = "NUMBER")]
    pub(crate) epochs: Option<usize>,
    /// Epochs before them in which only the head trains, for pretrained weights [default: 1]
    #[arg(long, value_name = "NUMBER")]
    pub(crate) freeze_epochs: Option<usize>,
    /// Whether the batch norms of a pretrained body stay as they are, which suits few images and small batches
    /// [default: false]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub(crate) freeze_norms: Option<bool>,
    /// Precision of training on a GPU: 16 bits need less memory, and most GPUs compute faster in them [default: 32]
    #[arg(long)]
    pub(crate) precision: Option<Bits>,
    /// Divide the images into so many parts, and train once for each part on the others, which scores every image by a model
    /// that has not seen it; then train the model on all images
    #[arg(long, value_name = "NUMBER", conflicts_with_all = ["early_stop", "valid_pct"])]
    pub(crate) folds: Option<usize>,
    /// Learning rate: `auto` takes the valley of the learning rate finder [default: auto]
    #[arg(long, value_name = "auto|RATE")]
    pub(crate) lr: Option<Lr>,
    /// Mix pairs of training images, with this alpha [0.4 without a number]
    #[arg(long, value_name = "ALPHA", num_args = 0..=1, require_equals = true, default_missing_value = "0.4")]
    pub(crate) mixup: Option<f64>,
    /// Metrics, such as accuracy,f1,roc_auc; the best weights are kept by the first one [default: accuracy]
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub(crate) metric: Vec<String>,
    /// End after so many epochs in a row without a lower validation loss
    #[arg(long, value_name = "EPOCHS")]
    pub(crate) early_stop: Option<usize>,
    /// Folder for the results [default: run]
    #[arg(long, value_name = "FOLDER")]
    pub(crate) out: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Bits {
    #[value(name = "32")]
    #[serde(rename = "32")]
    F32,
    Bf16,
    F16,
}

impl From<Bits> for Precision {
    fn from(bits: Bits) -> Self {
        match bits {
            Bits::F32 => Self::F32,
            Bits::Bf16 => Self::Bf16,
            Bits::F16 => Self::F16,
        }
    }
}
