//! What most tests use.

pub(crate) use vision_data::{
    BadImages, BatchTransform, DatasetType, Device, ImageDataBunch, ReadConfig, Stats,
    TransformConfig, device, get_transforms,
};
pub(crate) use vision_learner::{
    Adam, Callback, FitConfig, Head, HeadConfig, Learner, LearningRate, LrFindConfig, Predictions,
    Pretrained, accuracy, create_body, create_cnn, create_head, error_rate, slice,
};
pub(crate) use vision_models::{Arch, Cut};
