#![doc = include_str!("docs.md")]

mod error;
mod main_result;
pub mod system;

pub use burn;
pub use error::{Error, Result};
pub use main_result::{MainError, MainResult};
pub use vision_base as base;
pub use vision_data as data;
pub use vision_fetch as fetch;
pub use vision_figure as figure;
pub use vision_interp as interp;
pub use vision_kernels as kernels;
pub use vision_learner as learner;
pub use vision_models as models;

/// The names most programs need, for data, the learner, training and interpretation. Everything else is
/// in [`data`], [`learner`], [`models`] or [`interp`].
pub mod prelude {
    pub use vision_data::datasets::{Urls, untar_data};
    pub use vision_data::{
        DatasetType, Image, ImageDataBunch, ImageList, Size, Split, Stats, Transform,
        get_transforms,
    };
    pub use vision_fetch::hub::Hub;
    pub use vision_interp::{
        ClassificationInterpretation, MultiLabelInterpretation, ShowResults, plot_lr_find,
    };
    pub use vision_learner::{
        FitConfig, Learner, Predictor, accuracy, create_cnn, error_rate, slice,
    };
    pub use vision_models::Arch;
}

/// The examples of the pages in `docs/`, which lie outside the package.
#[cfg(doctest)]
mod pages {
    #[doc = include_str!("../../../docs/data.md")]
    mod data {}
    #[doc = include_str!("../../../docs/scale-shards.md")]
    mod scale_shards {}
    #[doc = include_str!("../../../docs/deploying.md")]
    mod deploying {}
    #[doc = include_str!("../../../docs/looking-at-data.md")]
    mod looking_at_data {}
    #[doc = include_str!("../../../docs/looking-at-mistakes.md")]
    mod looking_at_mistakes {}
    #[doc = include_str!("../../../docs/a-whole-project.md")]
    mod a_whole_project {}
    #[doc = include_str!("../../../docs/are-the-labels-right.md")]
    mod are_the_labels_right {}
    #[doc = include_str!("../../../docs/training.md")]
    mod training {}
    #[doc = include_str!("../../../docs/interrupted.md")]
    mod interrupted {}
    #[doc = include_str!("../../../docs/scale.md")]
    mod scale {}
    #[doc = include_str!("../../../docs/evaluating.md")]
    mod evaluating {}
    #[doc = include_str!("../../../docs/judging-a-model.md")]
    mod judging_a_model {}
    #[doc = include_str!("../../../docs/a-report.md")]
    mod a_report {}
    #[doc = include_str!("../../../docs/weights.md")]
    mod weights {}
    #[doc = include_str!("../../../docs/serving.md")]
    mod serving {}
    #[doc = include_str!("../../../README.md")]
    mod readme {}
}
