//! The options of a data bunch, checked before anything is read.

use std::sync::Arc;
use std::thread;

use burn::tensor::Device;
use vision_base::OptionError;

use crate::databunch::ImageDataBunch;
use crate::databunch::dataset::ImageDataset;
use crate::databunch::sources::folder::FromFolder;
use crate::databunch::sources::source::{Source, TestFolder};
use crate::device;
use crate::error::{Error, Result};
use crate::files::disjoint::check_apart;
use crate::files::index::IndexConfig;
use crate::image::reader::{ReadConfig, Reader};
use crate::labels::class_weights::{ClassWeights, Draw, Sampler};
use crate::loader::BadImages;
use crate::loader::stats::Stats;
use crate::pipeline::Pipeline;
use crate::transforms::batch::BatchTransform;
use crate::transforms::lists::Transforms;
use crate::transforms::resizing::Resizing;
use crate::transforms::size::{ResizeMethod, Size};

/// The default seed.
pub(crate) const DEFAULT_SEED: u64 = 42;

/// The default limit on the images of a batch: 64 of 1180 pixels a side.
pub(crate) const DEFAULT_BATCH_BYTES: u64 = 1 << 30;

/// The default limit on worker threads.
const MOST_WORKERS: usize = 16;

/// Collects the options of an [`ImageDataBunch`]; [`build`](Self::build) creates it.
///
/// `S` is the source of the images; each source adds options of its own.
///
/// | option | default |
/// |---|---|
/// | `train`, `valid` (folder) | the folders with these names |
/// | `test` | none; with `from_folder` the folder `test`, if it exists |
/// | `valid_pct`, `split` | 0.2; with `from_folder` the split is by folder |
/// | `classes` | the labels of the training images, sorted |
/// | `label_delim`, `label_with` | one class per image, or what the labels imply |
/// | `decisions` | none |
/// | `fn_col`, `label_col`, `folder`, `suffix` (table) | the first and the second column; files under the root |
/// | `csv_labels`, `csv_options` (CSV) | `labels.csv`, commas, a header, pandas' missing values |
/// | `class_weights` | none |
/// | `sampler` | each image once, in random order |
/// | `batch_size` | 64 |
/// | `val_batch_size` | as `batch_size` |
/// | `size`, `resize_method`, `resizing` | images keep their size, [`PaddingMode::Reflection`](crate::PaddingMode::Reflection) |
/// | `transforms`, `batch_transforms` | none |
/// | `normalize` | off |
/// | `num_workers` | the number of cores, at most 16 |
/// | `seed` | 42 |
/// | `device` | [`device::default_device`] |
/// | `max_batch_bytes` | 1 GiB, for the images of one batch |
/// | `bad_images` | [`BadImages::Fail`] |
/// | `reading` | [`ReadConfig::new`]: keeps 768 MiB of decoded images in memory |
/// | `indexing` | [`IndexConfig::new`]: silent, an unreadable folder is an error |
#[derive(Clone, Debug)]
#[must_use = "nothing is read before `build`"]
pub struct ImageDataBunchBuilder<S = FromFolder> {
    pub(crate) source: S,
    pub(crate) test: TestFolder,
    class_weights: ClassWeights,
    sampler: Sampler,
    batch_size: usize,
    val_batch_size: Option<usize>,
    resizing: Resizing,
    transforms: Transforms,
    batch_transforms: Vec<BatchTransform>,
    stats: Option<Stats>,
    /// Whether the user said how to normalize, or not to.
    stats_said: bool,
    num_workers: Option<usize>,
    seed: u64,
    device: Option<Device>,
    max_batch_bytes: u64,
    bad_images: BadImages,
    reading: ReadConfig,
    indexing: IndexConfig,
}

impl<S: Source> ImageDataBunchBuilder<S> {
    pub(crate) fn new(source: S) -> Self {
        Self {
            source,
            test: TestFolder::Default,
            class_weights: ClassWeights::None,
            sampler: Sampler::Shuffled,
            batch_size: 64,
            val_batch_size: None,
            resizing: Resizing::default(),
            transforms: Transforms::default(),
            batch_transforms: Vec::new(),
            stats: None,
            stats_said: false,
            num_workers: None,
            seed: DEFAULT_SEED,
            device: None,
            max_batch_bytes: DEFAULT_BATCH_BYTES,
            bad_images: BadImages::Fail,
            reading: ReadConfig::default(),
            indexing: IndexConfig::default(),
        }
    }

    /// The folder of the test images, under the root. They get no labels, even if they are in class folders.
    pub fn test(mut self, folder: impl Into<String>) -> Self {
        self.test = TestFolder::Named(folder.into());
        self
    }

    /// The seed of the random split, the order of each epoch and all transforms.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// The weight of each class in the loss; the learner takes the weights from
    /// [`ImageDataBunch::class_weights`].
    pub fn class_weights(mut self, weights: ClassWeights) -> Self {
        self.class_weights = weights;
        self
    }

    /// The order in which an epoch takes the training images.
    #[doc(alias("OverSamplingCallback", "WeightedRandomSampler"))]
    pub fn sampler(mut self, sampler: Sampler) -> Self {
        self.sampler = sampler;
        self
    }

    /// The number of items in a training batch.
    #[doc(alias = "bs")]
    pub fn batch_size(mut self, items: usize) -> Self {
        self.batch_size = items;
        self
    }

    /// The number of items in a validation or test batch.
    #[doc(alias = "val_bs")]
    pub fn val_batch_size(mut self, items: usize) -> Self {
        self.val_batch_size = Some(items);
        self
    }

    /// The size of all images: `224` (square, cropped) or `(height, width)` (squished).
    pub fn size(mut self, size: impl Into<Size>) -> Self {
        self.resizing.size = Some(size.into());
        self
    }

    /// Sets all resizing options at once, replacing earlier calls of [`size`](Self::size) and
    /// [`resize_method`](Self::resize_method), including the padding mode and the multiple to which sides
    /// are rounded.
    #[doc(alias = "padding_mode")]
    #[doc(alias = "mult")]
    pub fn resizing(mut self, resizing: Resizing) -> Self {
        self.resizing = resizing;
        self
    }

    /// The resize method, if not the default for the size.
    pub fn resize_method(mut self, method: ResizeMethod) -> Self {
        self.resizing.resize_method = Some(method);
        self
    }

    /// The item transforms, such as [`get_transforms`](crate::get_transforms).
    #[doc(alias("ds_tfms", "tfms"))]
    pub fn transforms(mut self, transforms: impl Into<Transforms>) -> Self {
        self.transforms = transforms.into();
        self
    }

    /// The batch transforms of training, replacing an earlier call. If there are several, each batch draws
    /// one.
    #[doc(alias("mixup", "MixUp", "CutMix"))]
    pub fn batch_transforms(mut self, transforms: impl Into<Vec<BatchTransform>>) -> Self {
        self.batch_transforms = transforms.into();
        self
    }

    /// Normalizes every batch on its device. `None` turns normalization off, replacing an earlier call. If neither is
    /// said, weights from Hugging Face's hub bring their own statistics.
    pub fn normalize(mut self, stats: impl Into<Option<Stats>>) -> Self {
        self.stats = stats.into();
        self.stats_said = true;
        self
    }

    /// The number of threads that prepare batches, at most 1024; 0 prepares them in the calling thread.
    pub fn num_workers(mut self, threads: usize) -> Self {
        self.num_workers = Some(threads);
        self
    }

    /// The device for which batches are prepared.
    pub fn device(mut self, device: Device) -> Self {
        self.device = Some(device);
        self
    }

    /// The most that the images of a batch may take as 32-bit floats, in bytes: a size or batch size beyond it
    /// is an error instead of the end of the program. Up to two batches for each worker thread are in memory.
    /// Data without a size is not checked.
    pub fn max_batch_bytes(mut self, bytes: u64) -> Self {
        self.max_batch_bytes = bytes;
        self
    }

    /// What to do about an image that cannot be decoded.
    pub fn bad_images(mut self, bad_images: BadImages) -> Self {
        self.bad_images = bad_images;
        self
    }

    /// How files are read: limits, reduction and caching of decoded images.
    pub fn reading(mut self, config: ReadConfig) -> Self {
        self.reading = config;
        self
    }

    /// Configures indexing: the progress reporter, and what to do about unreadable folders. Progress restarts
    /// for each part (training, validation, test).
    ///
    /// ```
    /// use vision_data::ImageDataBunch;
    /// use vision_data::files::{IndexConfig, UnreadableFolders};
    /// use vision_base::progress::Progress;
    ///
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = vision_data::datasets::synthetic::digits(&folder.path().join("digits"), 1, 4, 2)?;
    /// let indexing = IndexConfig::new()
    ///     .with_unreadable(UnreadableFolders::Skip)
    ///     .with_progress(Progress::bar("Indexing"));
    /// let data = ImageDataBunch::from_folder(path).batch_size(2).indexing(indexing).build()?;
    /// assert!(data.skipped_folders().is_empty());
    /// # Ok::<(), vision_data::Error>(())
    /// ```
    pub fn indexing(mut self, config: IndexConfig) -> Self {
        self.indexing = config;
        self
    }

    /// Checks the options, reads names and labels (not the images), and assembles the data.
    ///
    /// # Errors
    ///
    /// [`Error::Option`] for an option outside its range; the errors of the data block steps for invalid
    /// files, splits or labels; those of [`device::default_device`] if no device was given; and
    /// [`Error::Io`] if the disk cache cannot be written.
    pub fn build(self) -> Result<ImageDataBunch> {
        self.check()?;
        let device = match self.device {
            Some(device) => device,
            None => device::default_device()?,
        };
        let optional_test = self.source.optional_test();
        let mut lists = self.source.read(&self.test, self.seed, &self.indexing)?;
        match (&self.test, optional_test) {
            (TestFolder::Named(name), _) => {
                lists = lists.add_test_folder_with(name, &self.indexing)?;
            }
            // The default test folder may be empty, because it was not requested.
            (TestFolder::Default, Some(folder)) => {
                let files = lists.test_files(&folder, &self.indexing)?;
                if !files.is_empty() {
                    lists = lists.with_test(files);
                }
            }
            (TestFolder::Default | TestFolder::None, _) => {}
        }
        let labeled = lists.with_all_decided()?.labeled;
        if let Some(test) = &labeled.test
            && labeled.train.source.is_none()
            && test.source.is_none()
        {
            check_apart(("training", &labeled.train.files), ("test", &test.files))?;
        }
        let classes = Arc::clone(&labeled.classes);
        let train = &labeled.train.targets;
        let class_weights = self.class_weights.resolve(&classes, train)?;
        let draw = match self.sampler {
            Sampler::Shuffled => None,
            Sampler::Balanced => Some(Draw::balanced(classes.len(), train)?),
        };
        let reader = Arc::new(Reader::new(self.reading, self.resizing.size));
        reader.check()?;
        let dataset = |files| ImageDataset::new(files, Arc::clone(&classes), Arc::clone(&reader));
        let pipeline = |list: &[_]| Pipeline::new(list, self.resizing).map(Arc::new);
        let data = ImageDataBunch {
            train_pipeline: pipeline(&self.transforms.train)?,
            valid_pipeline: pipeline(&self.transforms.valid)?,
            labeled: Arc::new(labeled.map(dataset)),
            reader,
            class_weights: class_weights.map(Into::into),
            draw: draw.map(Arc::new),
            batch_size: self.batch_size,
            val_batch_size: self.val_batch_size.unwrap_or(self.batch_size),
            resizing: self.resizing,
            transforms: Arc::new(self.transforms),
            batch_transforms: self.batch_transforms.into(),
            stats: self.stats,
            stats_said: self.stats_said,
            num_workers: self.num_workers.unwrap_or_else(default_workers),
            seed: self.seed,
            valid_draw: 0,
            device,
            max_batch_bytes: self.max_batch_bytes,
            bad_images: self.bad_images,
        };
        data.check_batch_bytes()?;
        Ok(data)
    }

    pub(crate) fn check(&self) -> Result<()> {
        let positive = |option, items: Option<usize>| match items {
            Some(0) => Err(Error::Option(OptionError::new(
                option,
                "at least 1",
                "0".to_owned(),
            ))),
            _ => Ok(()),
        };
        positive("batch_size", Some(self.batch_size))?;
        positive("val_batch_size", self.val_batch_size)?;
        if let Some(threads) = self.num_workers.filter(|&threads| threads > 1024) {
            return Err(Error::Option(OptionError::new(
                "num_workers",
                "at most 1024 threads; one per core is enough",
                threads.to_string(),
            )));
        }
        self.stats.as_ref().map_or(Ok(()), Stats::check)?;
        self.reading.check(self.resizing.size)?;
        self.source.check()?;
        self.batch_transforms
            .iter()
            .try_for_each(BatchTransform::check)?;
        Pipeline::new(&self.transforms.train, self.resizing)?.check_shape()?;
        Pipeline::new(&self.transforms.valid, self.resizing)?.check_shape()
    }
}

fn default_workers() -> usize {
    thread::available_parallelism().map_or(1, |cores| cores.get().min(MOST_WORKERS))
}
