//! Transfer learning for image classification: fastai v1's vision learner, on Burn.
//!
//! [`create_cnn`] makes a [`Learner`] from data and an architecture. Its model is a pretrained body, cut
//! before its own classifier, and a new head. Train the head while the body is frozen, then unfreeze and
//! train everything with one learning rate per layer group:
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
//! * Create a learner: [`create_cnn`], [`load_classifier`], [`create_body`], [`create_head`], [`Cnn`],
//!   [`Pretrained`].
//! * Train: [`Learner::lr_find`], [`Learner::fit_one_cycle`], [`FitConfig`], [`LearningRate`],
//!   [`schedule`]. Train the head alone, fast: [`Learner::cache_features`].
//! * Train with several processes: [`Learner::data_parallel`], [`Sockets`], [`Gpus`], [`Collective`].
//! * Customize: [`Loss`], [`Metric`], [`Optimizer`], [`Callback`]. Training history: [`Recorder`].
//! * Predict and save: [`Learner::predict`], [`Learner::get_preds`], [`Predictor`], [`Learner::save`],
//!   [`Learner::load`].
//! * Evaluate: [`Learner::tta`], [`Learner::predict_with_mc_dropout`], [`Learner::embed`], [`Learner::summary`],
//!   [`cross_validate`], [`bootstrap`], [`compare`].
//! * See why: [`Learner::grad_cam`], [`Learner::occlusion`], [`Heatmap`].
//! * How sure: [`reliability`], [`fit_temperature`], [`abstain_threshold`].
//! * Deploy: [`Learner::export`], [`Predictor::open`], [`Predictor::self_test`].
//! * Export to other programs: [`Learner::export_onnx`], [`Learner::export_safetensors`].

// Printing must not end the program if a line cannot be written: use `vision_base::console`.
#![cfg_attr(not(test), warn(clippy::print_stdout, clippy::print_stderr))]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod builder;
mod bundle;
pub mod callbacks;
mod checkpoint;
mod classifier;
mod description;
mod error;
mod evaluate;
mod feature_space;
mod features;
mod learner;
mod loss;
mod lr_find;
mod lr_found;
mod metrics;
mod model;
mod optim;
mod parallel;
mod predict;
mod resume;
mod settings;
mod train;
mod unoptimized;

pub use crate::checkpoint::LoadConfig;
pub use builder::{CnnPlan, LearnerBuilder, ModelPlan, create_cnn};
pub use bundle::card::{Card, MetricValue};
pub use bundle::config::ExportConfig;
pub use bundle::open_config::OpenConfig;
pub use bundle::self_test::{SelfTest, SelfTestInput};
pub use classifier::{ClassifierPlan, load_classifier};
pub use error::{Error, Result};
pub use evaluate::abstain::{AbstainConfig, Abstention, abstain_threshold, abstain_threshold_with};
pub use evaluate::bootstrap::{Bootstrap, bootstrap};
pub use evaluate::comparison::{Comparison, compare};
pub use evaluate::cross_validate::{CrossValidation, FoldScores, cross_validate};
pub use evaluate::interval::Interval;
pub use evaluate::mcnemar::{McNemar, mcnemar};
pub use evaluate::reliability::{Reliability, ReliabilityBin, reliability};
pub use evaluate::temperature::{Temperature, fit_temperature};
pub use feature_space::duplicates::{DuplicateGroup, DuplicateItem, NearDuplicates};
pub use feature_space::item::FeatureItem;
pub use feature_space::neighbor::Neighbor;
pub use feature_space::outliers::{OutlierItem, Outliers};
pub use feature_space::space::FeatureSpace;
pub use features::cache::{FeatureOrigin, FeatureReport};
pub use features::refusal::CacheRefusal;
pub use learner::Learner;
pub use loss::{
    BinaryCrossEntropy, CrossEntropy, Focal, Loss, MeanSquaredError, Output, SoftTargets,
};
pub use lr_find::LrFindConfig;
pub use lr_found::{LrFind, LrSuggestion};
pub use metrics::{
    Average, AverageMetric, Better, CalibrationError, CountMetric, Disagreement, Metric,
    RankCorrelation, RankingMetric, RegressionMetric, Scores, accuracy, accuracy_thresh, argmax,
    average_precision, balanced_accuracy, brier_score, calibration_error, cohen_kappa, error_rate,
    explained_variance, f_score, fbeta, log_loss, mae, matthews, metric_named, mse, msle, pearson,
    precision, r2_score, recall, rmse, rmspe, roc_auc, spearman, top_k_accuracy,
};
pub use model::body::{Backbone, BodyBuilder, create_body};
pub use model::cnn::{Body, Cnn, Head, InferenceBody, Model, TwoParts};
pub use model::head::{HeadConfig, HeadPlan, Ps, create_head};
pub use model::hub::{HubWeights, hub_weights};
pub use model::pretrained::{Pretrained, imagenet_weights};
pub use model::summary::{LayerSummary, ModelSummary};
pub use model::target::TargetTensor;
pub use optim::lr::{LearningRate, WeightDecay, layer_decay, slice};
pub use optim::{
    Adam, GroupedOptimizer, Hyper, Lamb, Lion, Optimizer, ParamState, RAdam, RmsProp, Sgd, schedule,
};
pub use parallel::collective::{Collective, LostRank};
pub use parallel::data_parallel::DataParallel;
pub use parallel::gpus::Gpus;
#[cfg(feature = "mpi")]
pub use parallel::mpi::Mpi;
pub use parallel::sockets::Sockets;
pub use parallel::traffic::{Flow, Traffic};
pub use predict::cam_config::{CamConfig, CamMethod};
pub use predict::embed::EmbedConfig;
pub use predict::embeddings::Embeddings;
pub use predict::files::FilePredictions;
pub use predict::folder::FolderPredictions;
pub use predict::heatmap::Heatmap;
pub use predict::many::Prepared;
pub use predict::mc_dropout::{McDropout, McDropoutConfig};
pub use predict::occlusion_config::{OcclusionConfig, OcclusionFill};
pub use predict::predictions::{Prediction, Predictions};
pub use predict::predictor::Predictor;
pub use predict::row::{PredictionRow, RowFormat, RowScore};
pub use predict::threshold::Threshold;
pub use predict::tta::TtaConfig;
pub use resume::resumable::Resumable;
pub use settings::BnFreeze;
pub use train::callback::{Callback, CallbackState};
pub use train::context::Context;
pub use train::fine_tune::FineTune;
pub use train::fit::FitConfig;
pub use train::precision::Precision;
pub use train::recorder::{EpochRow, Recorder};
pub use train::state::State;
