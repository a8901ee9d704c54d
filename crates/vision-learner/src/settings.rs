//! The settings of a learner and the parts of its model.

use std::path::PathBuf;
use std::sync::Arc;

use vision_data::{ImageDataBunch, ImageDefaults, TargetKind};
use vision_models::weights::LoadReport;

use crate::loss::Loss;
use crate::metrics::Metric;
use crate::model::any_model::AnyModel;
use crate::model::sides::Sides;
use crate::optim::Optimizer;
use crate::optim::lr::WeightDecay;
use crate::train::callback::Callback;
use crate::train::precision::Precision;
use crate::{Error, Result};

/// The settings common to all learners, whatever their model.
pub(crate) struct Settings {
    pub(crate) data: ImageDataBunch,
    pub(crate) metrics: Vec<Box<dyn Metric>>,
    pub(crate) callbacks: Vec<Box<dyn Callback>>,
    pub(crate) loss: Arc<dyn Loss>,
    pub(crate) optimizer: Box<dyn Fn() -> Box<dyn Optimizer> + Send + Sync>,
    pub(crate) wd: WeightDecay,
    pub(crate) true_wd: bool,
    pub(crate) bn_wd: bool,
    pub(crate) train_bn: bool,
    pub(crate) bn_freeze: BnFreeze,
    pub(crate) path: PathBuf,
    pub(crate) model_dir: PathBuf,
    pub(crate) silent: bool,
    pub(crate) seed: u64,
    pub(crate) precision: Precision,
    /// Custom layer-group starts, if not the architecture's own.
    pub(crate) split_on: Option<SplitOn>,
}

/// Which batch norms stay in evaluation mode in training, so that their parameters and statistics do not change:
/// [`LearnerBuilder::bn_freeze`](crate::LearnerBuilder::bn_freeze).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum BnFreeze {
    /// None.
    #[default]
    Off,
    /// Those of frozen layer groups, as with fastai's `BnFreeze` callback. `true` means this.
    Frozen,
    /// Those of all layer groups but the last, which is the head, also when nothing is frozen.
    Body,
}

impl From<bool> for BnFreeze {
    fn from(on: bool) -> Self {
        match on {
            true => Self::Frozen,
            false => Self::Off,
        }
    }
}

/// Where layer groups begin.
#[derive(Clone, Debug)]
pub(crate) enum SplitOn {
    /// At modules.
    Modules(Vec<String>),
    /// At each child of the body, and at the head.
    Children,
}

impl Settings {
    /// Checks that the loss and the metrics fit the data's kind of label.
    pub(crate) fn check_kinds(&self) -> Result<()> {
        let found = self.data.kind();
        let expected = self.loss.kind();
        if expected != found {
            return Err(
                vision_data::Error::from(vision_data::LabelError::WrongKind { expected, found })
                    .into(),
            );
        }
        for metric in &self.metrics {
            if !metric.accepts(found) {
                return Err(Error::MetricKind {
                    metric: metric.name(),
                    expected: metric.kind().unwrap_or(TargetKind::Category),
                    found,
                });
            }
        }
        Ok(())
    }
}

/// A model with the properties a learner needs.
pub(crate) struct Parts {
    pub(crate) model: Box<dyn AnyModel>,
    pub(crate) name: String,
    pub(crate) split: Vec<String>,
    pub(crate) sides: Sides,
    pub(crate) freeze: bool,
    /// Channels of the body's features, if its head depends on them.
    pub(crate) features: Option<usize>,
    /// Whether the body was built with random weights.
    pub(crate) random_body: bool,
    pub(crate) warnings: Vec<String>,
    pub(crate) report: Option<LoadReport>,
    /// The images that its weights were trained on, if they say so: the data's defaults.
    pub(crate) images: Option<ImageDefaults>,
    /// What a user should read about the model, unless the learner is silent.
    pub(crate) note: Option<String>,
}
