//! Transfer learning for image classification: what fastai v1's vision learner does, on Burn.
//!
//! [`create_cnn`] makes a [`Learner`] from data and an architecture: a pretrained body, cut before its
//! own classifier, and a new head. Train the head while the body is frozen, unfreeze, and train on with a
//! learning rate per layer group:
//!
//! ```no_run
//! use vision_data::{ImageDataBunch, Stats};
//! use vision_learner::{accuracy, create_cnn, slice};
//! use vision_models::Arch;
//!
//! let data = ImageDataBunch::from_folder("pets").size(224).normalize(Stats::IMAGENET).build()?;
//! let mut learner = create_cnn(data, Arch::ResNet34).metrics([accuracy()]).build()?;
//! learner.fit_one_cycle(4, 1e-3)?;
//! learner.unfreeze();
//! learner.fit_one_cycle(2, slice(1e-6..1e-4))?;
//! learner.save("stage-2")?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! * Making a learner: [`create_cnn`], [`create_body`], [`create_head`], [`Cnn`], [`Pretrained`].
//! * Training: [`Learner::lr_find`], [`Learner::fit_one_cycle`], [`FitConfig`], [`LearningRate`], [`schedule`]; the head alone, fast:
//!   [`Learner::cache_features`].
//! * Parts: [`Loss`], [`Metric`], [`Optimizer`], [`Callback`]; what happened: [`Recorder`].
//! * Using it: [`Learner::predict`], [`Learner::get_preds`], [`Learner::save`], [`Learner::load`];
//!   taking it out: [`Learner::export_onnx`], [`Learner::export_safetensors`].

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod batches;
mod body;
mod cache_features;
mod callback;
mod checkpoint;
mod cnn;
mod create;
mod error;
mod export;
mod feature_file;
mod features;
mod fit;
mod groups;
mod head;
mod learner;
mod loading;
mod loss;
mod lr;
mod lr_find;
mod metrics;
mod model;
mod optim;
mod predictions;
mod progress;
mod recorder;
pub mod schedule;
mod target;
mod train;
mod unoptimized;

pub use body::{Backbone, Pretrained, create_body};
pub use cache_features::{CacheRefusal, FeatureOrigin, FeatureReport};
pub use callback::{Callback, Context, State};
pub use cnn::{Body, Cnn, Head, InferenceBody, Model, TwoParts};
pub use create::{CnnPlan, LearnerBuilder, ModelPlan, cnn_learner, create_cnn};
pub use error::{Error, Result};
pub use fit::FitConfig;
pub use head::{HeadConfig, HeadPlan, Ps, create_head};
pub use learner::Learner;
pub use loss::{BinaryCrossEntropy, CrossEntropy, Loss, MeanSquaredError};
pub use lr::{LearningRate, WeightDecay, even_mults, slice};
pub use lr_find::{LrFind, LrFindConfig, LrSuggestion};
pub use metrics::{
    AverageMetric, Metric, RegressionMetric, Scores, accuracy, accuracy_thresh, argmax, error_rate,
    fbeta, mae, mse, r2_score, rmse,
};
pub use optim::{Adam, GroupedOptimizer, Hyper, Optimizer, ParamState, Sgd};
pub use predictions::{Prediction, Predictions};
pub use recorder::{EpochRow, Recorder};
pub use target::TargetTensor;
