//! What a learner is made of: its settings and the parts of its model.

use std::path::PathBuf;

use vision_data::ImageDataBunch;
use vision_models::weights::LoadReport;

use crate::loss::Loss;
use crate::metrics::Metric;
use crate::model::any_model::AnyModel;
use crate::optim::Optimizer;
use crate::optim::lr::WeightDecay;
use crate::train::callback::Callback;
use crate::{Error, Result};

/// What every learner has, whatever its model.
pub(crate) struct Settings {
    pub(crate) data: ImageDataBunch,
    pub(crate) metrics: Vec<Box<dyn Metric>>,
    pub(crate) callbacks: Vec<Box<dyn Callback>>,
    pub(crate) loss: Box<dyn Loss>,
    pub(crate) optimizer: Box<dyn Fn() -> Box<dyn Optimizer> + Send>,
    pub(crate) wd: WeightDecay,
    pub(crate) true_wd: bool,
    pub(crate) bn_wd: bool,
    pub(crate) train_bn: bool,
    pub(crate) bn_freeze: bool,
    pub(crate) path: PathBuf,
    pub(crate) model_dir: PathBuf,
    pub(crate) silent: bool,
    pub(crate) seed: u64,
    /// The starts of the layer groups, where they are not the architecture's own.
    pub(crate) split_on: Option<Vec<String>>,
}

impl Settings {
    /// Whether loss and metrics are for the labels that the data has.
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
            if let Some(expected) = metric.kind().filter(|kind| *kind != found) {
                return Err(Error::MetricKind {
                    metric: metric.name(),
                    expected,
                    found,
                });
            }
        }
        Ok(())
    }
}

/// A model with what a learner must know about it.
pub(crate) struct Parts {
    pub(crate) model: Box<dyn AnyModel>,
    pub(crate) name: String,
    pub(crate) split: Vec<String>,
    /// Smallest side of a picture in pixels.
    pub(crate) min_size: usize,
    pub(crate) freeze: bool,
    pub(crate) warnings: Vec<String>,
    pub(crate) report: Option<LoadReport>,
}
