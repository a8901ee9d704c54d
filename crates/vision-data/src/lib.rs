//! From a folder of pictures to batches on a device.
//!
//! What fastai v1 calls a data bunch: labelled images, split in training and validation, resized,
//! transformed, put together and normalised. This crate knows nothing of models.
//!
//! # Pattern of use
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
//! # Promises
//!
//! * **Repeatable**: order, transforms and the content of each batch are a function of
//!   (seed, epoch, index) alone, whatever the number of worker threads.
//! * **fastai's numbers**: sizes, resizing and transforms follow fastai v1, and pixels are those of
//!   Pillow. Differences are listed at [`Image`] and [`random_split`].
//! * **Nothing panics**: files are data. Whatever is in a folder, a picture or an archive ends in an
//!   [`Error`] that names the file and the reason.
//!
//! # Map
//!
//! An image goes through the rooms in this order:
//!
//! | room | | public names |
//! |---|---|---|
//! | [`files`] | finding image files | [`image_files`](files::image_files) |
//! | `table` | names and labels in a CSV file or in memory | [`Table`], [`CsvOptions`] |
//! | `labels` | labels as given, and as targets | [`Label`], [`LabelOptions`], [`Targets`], [`ClassWeights`] |
//! | `split` | which items are for validation | [`Split`], [`By`] |
//! | `data_block` | fastai's data block: from files to labelled, split items | [`ImageList`], [`SplitList`], [`LabelLists`] |
//! | `databunch` | everything together, its options, saving and loading | [`ImageDataBunch`], [`ImageDataBunchBuilder`], [`sources`] |
//! | `image` | decoding under limits, what is kept of it | [`Image`], [`ReadConfig`], [`Limits`] |
//! | `transforms` | sizes, augmentation, as data | [`Transform`], [`get_transforms`], [`presets`], [`Resizing`], [`BatchTransform`] |
//! | `pipeline` | one draw of the transforms, applied | [`Pipeline`], [`Draw`] |
//! | `loader` | worker threads, batches, normalizing | [`Loader`], [`Batch`], [`Stats`] |
//! | [`inspect`] | looking at data: the doctor, descriptions, summaries | [`Doctor`](inspect::doctor::Doctor) |
//! | [`datasets`] | `untar_data`, drawn digits | [`untar_data`](datasets::untar_data), [`Urls`](datasets::Urls) |
//! | [`device`] | which device computes: the one place that names backends | |

// A line that cannot be written must not end a program: `vision_base::console` prints.
#![cfg_attr(not(test), warn(clippy::print_stdout, clippy::print_stderr))]

mod data_block;
mod databunch;
pub mod datasets;
pub mod device;
mod error;
pub mod files;
mod image;
pub mod inspect;
mod labels;
mod loader;
mod pipeline;
mod rng;
mod split;
mod table;
mod transforms;

pub use burn::tensor::Device;

pub use crate::data_block::SplitList;
pub use crate::data_block::image_list::{FileColumn, ImageList};
pub use crate::data_block::label_lists::{LabelLists, LabelledFiles};
pub use crate::databunch::builder::ImageDataBunchBuilder;
pub use crate::databunch::dataset::{DatasetType, ImageDataset};
pub use crate::databunch::error::DataError;
pub use crate::databunch::preprocessing::Preprocessing;
pub use crate::databunch::{ImageDataBunch, sources};
pub use crate::device::DeviceError;
pub use crate::error::{Error, Result};
pub use crate::files::error::FilesError;
pub use crate::image::error::ImageError;
pub use crate::image::mask::Mask;
pub use crate::image::reader::ReadConfig;
pub use crate::image::{Image, ImageProblem, Limits, PixelSize};
pub use crate::labels::class_weights::{ClassWeights, Sampler};
pub use crate::labels::error::LabelError;
pub use crate::labels::targets::{MultiLabels, Target, TargetKind, Targets};
pub use crate::labels::{Dropped, Label, LabelOptions, UnknownLabels};
pub use crate::loader::batch::{Batch, HostImages};
pub use crate::loader::stats::Stats;
pub use crate::loader::{BadImages, Loader, SkippedImage};
pub use crate::pipeline::Pipeline;
pub use crate::pipeline::draw::Draw;
pub use crate::pipeline::points::Point;
pub use crate::split::error::SplitError;
pub use crate::split::random::random_split;
pub use crate::split::{By, PathFn, Split};
pub use crate::table::csv::{CsvOptions, MISSING};
pub use crate::table::error::TableError;
pub use crate::table::{Column, Table};
pub use crate::transforms::batch::{BatchTransform, Mixed};
pub use crate::transforms::padding::PaddingMode;
pub use crate::transforms::resizing::Resizing;
pub use crate::transforms::size::{ResizeMethod, Size};
pub use crate::transforms::{
    Bounds, Transform, TransformConfig, Transforms, get_transforms, presets,
};
