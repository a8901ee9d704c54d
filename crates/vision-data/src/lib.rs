//! Image data: from a folder of images to batches on a device.
//!
//! The central type is fastai v1's data bunch: labeled images, split into training and validation,
//! resized, transformed, batched and normalized. This crate does not depend on models.
//!
//! # Usage
//!
//! ```
//! use vision_data::{DatasetType, Image, ImageDataBunch, Stats};
//! # use vision_data::datasets::synthetic;
//!
//! # let folder = tempfile::tempdir().unwrap();
//! # let path = synthetic::digits(&folder.path().join("digits"), 1, 20, 5)?;
//! // A folder with train/3/.., train/7/.., valid/3/.., valid/7/..
//! let data = ImageDataBunch::from_folder(&path)
//!     .batch_size(10)
//!     .size(32)
//!     .normalize(Stats::IMAGENET)
//!     .build()?;
//! println!("{data}");
//!
//! for epoch in 0..2 {
//!     for batch in data.loader(DatasetType::Train, epoch)? {
//!         let batch = batch?;
//!         let images = batch.to_device(data.device(), data.stats().as_ref());
//!         let labels = batch.targets(data.device())?;
//!         assert_eq!((images.dims(), labels.dims()), ([10, 3, 32, 32], [10]));
//!     }
//! }
//! # Ok::<(), vision_data::Error>(())
//! ```
//!
//! # Guarantees
//!
//! * **Reproducible**: order, transforms and the content of each batch are a function of (seed,
//!   epoch, index) alone, whatever the number of worker threads.
//! * **fastai's numbers**: sizes, resizing and transforms follow fastai v1, and pixels equal
//!   Pillow's. [`Image`] and [`random_split`] list the differences.
//! * **No panics on bad input**: whatever a folder, an image or an archive contains, the result is
//!   an [`Error`] that names the file and the reason.
//!
//! # Modules
//!
//! An image passes through the modules in this order:
//!
//! | module | | public names |
//! |---|---|---|
//! | [`files`] | finding image files | [`image_files`](files::image_files) |
//! | `table` | names and labels in a CSV file or in memory | [`Table`], [`CsvOptions`] |
//! | `labels` | labels, and the targets made from them | [`Label`], [`LabelOptions`], [`Targets`], [`ClassWeights`] |
//! | `split` | which items are used for validation | [`Split`], [`By`], [`Folds`] |
//! | `data_block` | fastai's data block: from files to labeled, split items | [`ImageList`], [`SplitList`], [`LabelLists`] |
//! | `databunch` | the data bunch, its options, saving and loading | [`ImageDataBunch`], [`ImageDataBunchBuilder`], [`sources`] |
//! | `image_source` | images that are not files | [`ImageSource`], [`MemoryImages`], [`ArchiveImages`], [`ShardImages`] |
//! | `image` | decoding under limits, caching | [`Image`], [`ReadConfig`], [`Limits`] |
//! | `transforms` | sizes and augmentation, as data: the built-in transforms, and your own | [`Transform`], [`get_transforms`], [`builtin`], [`presets`], [`ItemTransform`], [`Resizing`], [`BatchTransform`] |
//! | `pipeline` | drawing and applying transforms | [`Pipeline`], [`Draw`] |
//! | `loader` | worker threads, batches, normalizing | [`Loader`], [`Batch`], [`Stats`] |
//! | [`inspect`] | inspecting data: the doctor, descriptions, summaries | [`Doctor`](inspect::doctor::Doctor) |
//! | [`datasets`] | `untar_data`, synthetic digits | [`untar_data`](datasets::untar_data), [`Urls`](datasets::Urls) |
//! | [`device`] | choosing a device: the only module that names backends | |

// A failed write to stdout must not end a program, so print through `vision_base::console`.
#![cfg_attr(not(test), warn(clippy::print_stdout, clippy::print_stderr))]

mod data_block;
mod databunch;
pub mod datasets;
mod decisions;
pub mod device;
mod error;
pub mod files;
mod image;
mod image_source;
pub mod inspect;
mod labels;
mod loader;
mod pipeline;
mod rng;
mod split;
mod table;
mod transforms;

pub use burn::tensor::Device;

pub use crate::data_block::file_column::FileColumn;
pub use crate::data_block::image_list::ImageList;
pub use crate::data_block::label_lists::LabelLists;
pub use crate::data_block::labeled::LabeledFiles;
pub use crate::data_block::split_list::SplitList;
pub use crate::databunch::builder::ImageDataBunchBuilder;
pub use crate::databunch::dataset::{DatasetType, ImageDataset};
pub use crate::databunch::error::DataError;
pub use crate::databunch::fingerprint::DataFingerprint;
pub use crate::databunch::image_defaults::ImageDefaults;
pub use crate::databunch::preprocessing::{Preprocessing, Preprocessor};
pub use crate::databunch::{ImageDataBunch, sources};
pub use crate::decisions::decision::Decision;
pub use crate::decisions::error::DecisionError;
pub use crate::decisions::file::Decisions;
pub use crate::decisions::record::{Decided, Relabeled};
pub use crate::device::error::DeviceError;
pub use crate::error::{Error, Result};
pub use crate::files::error::FilesError;
pub use crate::image::Image;
pub use crate::image::error::ImageError;
pub use crate::image::limits::Limits;
pub use crate::image::problem::ImageProblem;
pub use crate::image::reader::ReadConfig;
pub use crate::image::size::PixelSize;
pub use crate::image_source::archive::ArchiveImages;
#[cfg(feature = "burn-dataset")]
pub use crate::image_source::burn::{BurnImages, ImageItem};
pub use crate::image_source::memory::MemoryImages;
pub use crate::image_source::order::ShardOrder;
pub use crate::image_source::shards::ShardImages;
pub use crate::image_source::shards::error::ShardError;
pub use crate::image_source::{ImageContent, ImageSource};
pub use crate::labels::Label;
pub use crate::labels::class_weights::{ClassWeights, Sampler};
pub use crate::labels::error::LabelError;
pub use crate::labels::kind::{Dropped, TargetKind};
pub use crate::labels::options::{LabelOptions, UnknownLabels};
pub use crate::labels::targets::{MultiLabels, Target, Targets};
pub use crate::loader::batch::{Batch, HostImages};
pub use crate::loader::part::{BatchPart, PartLoader};
pub use crate::loader::share::Share;
pub use crate::loader::stats::Stats;
pub use crate::loader::{BadImages, Loader, SkippedImage};
pub use crate::pipeline::Pipeline;
pub use crate::pipeline::draw::Draw;
pub use crate::split::error::SplitError;
pub use crate::split::folds::Folds;
pub use crate::split::random::random_split;
pub use crate::split::{By, PathFn, Split};
pub use crate::table::Table;
pub use crate::table::column::Column;
pub use crate::table::csv::{CsvOptions, MISSING};
pub use crate::table::error::TableError;
pub use crate::transforms::batch::{BatchTransform, Mixed};
pub use crate::transforms::bounds::Bounds;
pub use crate::transforms::config::{TransformConfig, get_transforms};
pub use crate::transforms::custom::{Custom, ItemTransform, TransformRng, register_transform};
pub use crate::transforms::error::TransformError;
pub use crate::transforms::lists::Transforms;
pub use crate::transforms::padding::PaddingMode;
pub use crate::transforms::resizing::Resizing;
pub use crate::transforms::size::{ResizeMethod, Size};
pub use crate::transforms::transform::Transform;
pub use crate::transforms::{builtin, presets};
