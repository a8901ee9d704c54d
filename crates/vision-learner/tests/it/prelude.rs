//! What most tests use.

pub(crate) use vision_data::{DatasetType, Device, ImageDataBunch, ReadConfig, Stats};
pub(crate) use vision_learner::{
    Callback, FitConfig, HeadConfig, Learner, LearningRate, LrFindConfig, Predictions, accuracy,
    create_cnn, error_rate, slice,
};
pub(crate) use vision_models::Arch;
