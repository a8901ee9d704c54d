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
//!   Pillow. Differences are listed at [`Image`] and [`split::random`].
//! * **Nothing panics**: files are data. Whatever is in a folder, a picture or an archive ends in an
//!   [`Error`] that names the file and the reason.
//!
//! # Map
//!
//! | module | |
//! |---|---|
//! | [`databunch`], [`builder`] | [`ImageDataBunch`], and the options to make one |
//! | [`data_block`], [`sources`] | from files to labelled, split items: [`ImageList`], and what the factories read |
//! | [`ImageDataBunch::save`], [`load`](ImageDataBunch::load) | the data as a JSON file |
//! | [`balance`] | weights of classes, and a sampler, where classes differ in size |
//! | [`dataset`] | the images of one part: [`ImageDataset`] |
//! | [`loader`], [`batch`] | worker threads, and what they bring |
//! | [`image`], [`reader`] | decoding under limits: [`Image`]; what is kept of it |
//! | [`resize`], [`resizing`], [`padding`], [`transforms`] | sizes, and what else is done to an image |
//! | [`pipeline`], [`mask`], [`points`] | one draw, applied to an image, to its mask and to points in it |
//! | [`mix`] | what is done to a batch as a whole: MixUp and CutMix |
//! | [`stats`] | normalising |
//! | [`targets`] | labels: one class, several, or numbers |
//! | [`items`], [`split`] | finding files, choosing some for validation |
//! | [`datasets`], [`download`], [`archive`], [`cache`] | `untar_data`: fetching public sets safely |
//! | [`synthetic`] | digits drawn by the program, where there is no network |
//! | [`doctor`] | bad files, copies and look-alikes, before training: [`Doctor`](doctor::Doctor) |
//! | [`describe`] | counts, sizes, colours, means: [`ImageDataBunch::describe`] |
//! | [`summary`] | what happens to one item, step by step: [`ImageDataBunch::summary`] |
//! | [`verify`] | checking a folder, and smaller copies of large images |
//! | [`figure`] | pictures with titles, lines and text, as PNG or SVG |
//! | [`device`] | which device computes: the one place that names backends |
//! | [`progress`] | how far a long piece of work has come: [`Progress`](progress::Progress) |
//! | [`error`] | [`Error`] |

pub mod archive;
mod atomic;
pub mod cache;
pub mod data_block;
pub mod databunch;
pub mod datasets;
pub mod device;
pub mod download;
pub mod error;
pub mod figure;
pub mod files;
pub mod image;
pub mod inspect;
pub mod labels;
pub mod loader;
pub mod pipeline;
pub mod progress;
mod rng;
#[doc(hidden)]
pub mod shown;
pub mod split;
mod table;
pub mod transforms;
mod workers;

pub use burn::tensor::Device;

pub use crate::data_block::image_list::{FileColumn, ImageList};
pub use crate::data_block::{LabelLists, LabelledFiles, SplitList};
pub use crate::databunch::ImageDataBunch;
pub use crate::databunch::builder::ImageDataBunchBuilder;
pub use crate::databunch::dataset::{DatasetType, ImageDataset};
pub use crate::datasets::{Dataset, UntarConfig, Urls, untar_data, untar_data_with};
pub use crate::error::{Error, Result};
pub use crate::figure::{Figure, ImageGrid};
pub use crate::image::mask::Mask;
pub use crate::image::reader::ReadConfig;
pub use crate::image::{Image, ImageProblem, Limits, PixelSize};
pub use crate::labels::class_weights::{ClassWeights, Sampler};
pub use crate::labels::targets::{MultiLabels, Target, TargetKind, Targets};
pub use crate::labels::{Dropped, Label, LabelOptions, UnknownLabels};
pub use crate::loader::batch::{Batch, HostImages};
pub use crate::loader::stats::Stats;
pub use crate::loader::{BadImages, Loader, SkippedImage};
pub use crate::pipeline::Pipeline;
pub use crate::pipeline::draw::Draw;
pub use crate::pipeline::points::Point;
pub use crate::split::{By, PathFn, Split};
pub use crate::table::csv::{CsvOptions, MISSING};
pub use crate::table::{Column, Table};
pub use crate::transforms::batch::{BatchTransform, Mixed};
pub use crate::transforms::padding::PaddingMode;
pub use crate::transforms::resizing::Resizing;
pub use crate::transforms::size::{ResizeMethod, Size};
pub use crate::transforms::{Transform, TransformConfig, Transforms, get_transforms};
