#![doc = include_str!("docs.md")]

mod error;
pub mod system;

pub use burn;
pub use error::{Error, Result};
pub use vision_base as base;
pub use vision_data as data;
pub use vision_fetch as fetch;
pub use vision_figure as figure;
pub use vision_interp as interp;
pub use vision_kernels as kernels;
pub use vision_learner as learner;
pub use vision_models as models;

/// Everything that a program needs to train and interpret a classifier.
pub mod prelude {
    pub use vision_data::datasets::{Urls, untar_data};
    pub use vision_data::files::image_files;
    pub use vision_data::inspect::doctor::Doctor;
    pub use vision_data::{
        BadImages, BatchTransform, By, ClassWeights, Column, CsvOptions, DatasetType, Device,
        FileColumn, Image, ImageDataBunch, ImageList, Label, LabelOptions, Mask, PaddingMode,
        Pipeline, ReadConfig, ResizeMethod, Resizing, Sampler, Size, Split, Stats, Table,
        TargetKind, Transform, TransformConfig, Transforms, device, get_transforms,
    };
    pub use vision_interp::{ClassificationInterpretation, plot_lr_find};
    pub use vision_learner::{
        Adam, BinaryCrossEntropy, Callback, Cnn, CrossEntropy, FitConfig, Head, HeadConfig,
        Learner, LearningRate, LrFind, LrFindConfig, MeanSquaredError, Model, Predictions,
        Pretrained, Sgd, accuracy, accuracy_thresh, cnn_learner, create_body, create_cnn,
        create_head, error_rate, fbeta, load_classifier, mae, mse, r2_score, rmse, slice,
    };
    pub use vision_models::export::{Names, OnnxConfig};
    pub use vision_models::{Arch, Cut};
}

/// The examples of the pages in `docs/`, which are outside of the package.
#[cfg(doctest)]
mod pages {
    #[doc = include_str!("../../../docs/data.md")]
    mod data {}
    #[doc = include_str!("../../../docs/looking-at-data.md")]
    mod looking_at_data {}
}
