//! The options of a data bunch, checked before any work begins.

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

/// The seed if nobody names one.
pub(crate) const DEFAULT_SEED: u64 = 42;

/// The most worker threads that are started unless more are asked for.
const MOST_WORKERS: usize = 16;

/// Collects the options of an [`ImageDataBunch`]; [`build`](Self::build) makes it.
///
/// `S` is what it reads, which has options of its own.
///
/// | option | default |
/// |---|---|
/// | `train`, `valid` (folder) | folders of these names |
/// | `test` | none; from a folder the folder `test`, if there is one |
/// | `valid_pct`, `split` | 0.2; from a folder none: the folders decide |
/// | `classes` | the labels of the training images, sorted |
/// | `label_delim`, `label_with` | one class an image, or as the labels are |
/// | `fn_col`, `label_col`, `folder`, `suffix` (table) | the first and the second column; files under the root |
/// | `csv_labels`, `csv_options` (CSV) | `labels.csv`, commas, a header, what pandas takes for no value |
/// | `class_weights` | none |
/// | `sampler` | each image once, in random order |
/// | `batch_size` | 64 |
/// | `val_batch_size` | as `batch_size` |
/// | `size`, `resize_method`, `resizing` | images stay as they are, [`PaddingMode::Reflection`](crate::PaddingMode::Reflection) |
/// | `transforms`, `batch_transforms` | none |
/// | `normalize` | not |
/// | `num_workers` | the cores, at most 16 |
/// | `seed` | 42 |
/// | `device` | [`device::default_device`] |
/// | `bad_images` | [`BadImages::Fail`] |
/// | `reading` | [`ReadConfig::new`]: 1 GiB of decoded images are kept in memory |
/// | `indexing` | [`IndexConfig::new`]: silent, and an unreadable folder is an error |
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
    num_workers: Option<usize>,
    seed: u64,
    device: Option<Device>,
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
            num_workers: None,
            seed: DEFAULT_SEED,
            device: None,
            bad_images: BadImages::Fail,
            reading: ReadConfig::default(),
            indexing: IndexConfig::default(),
        }
    }

    /// The folder of the test images, in the root. They have no labels, whatever their folders.
    pub fn test(mut self, folder: impl Into<String>) -> Self {
        self.test = TestFolder::Named(folder.into());
        self
    }

    /// Decides the random split, the order of each epoch and all transforms.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// How much each class counts in the loss; the learner takes them from
    /// [`ImageDataBunch::class_weights`].
    pub fn class_weights(mut self, weights: ClassWeights) -> Self {
        self.class_weights = weights;
        self
    }

    /// In which order an epoch takes the training images.
    #[doc(alias("OverSamplingCallback", "WeightedRandomSampler"))]
    pub fn sampler(mut self, sampler: Sampler) -> Self {
        self.sampler = sampler;
        self
    }

    /// The items of a training batch.
    #[doc(alias = "bs")]
    pub fn batch_size(mut self, items: usize) -> Self {
        self.batch_size = items;
        self
    }

    /// The items of a batch that is not for training.
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
    /// [`resize_method`](Self::resize_method): also the padding mode, and the multiple that sides are
    /// rounded to.
    #[doc(alias = "padding_mode")]
    #[doc(alias = "mult")]
    pub fn resizing(mut self, resizing: Resizing) -> Self {
        self.resizing = resizing;
        self
    }

    /// How the size is reached, if not in the way that belongs to it.
    pub fn resize_method(mut self, method: ResizeMethod) -> Self {
        self.resizing.resize_method = Some(method);
        self
    }

    /// What is done to the images, such as [`get_transforms`](crate::get_transforms).
    #[doc(alias("ds_tfms", "tfms"))]
    pub fn transforms(mut self, transforms: impl Into<Transforms>) -> Self {
        self.transforms = transforms.into();
        self
    }

    /// What is done to training batches as a whole, replacing an earlier call; of several, each batch draws
    /// one.
    #[doc(alias("mixup", "MixUp", "CutMix"))]
    pub fn batch_transforms(mut self, transforms: impl Into<Vec<BatchTransform>>) -> Self {
        self.batch_transforms = transforms.into();
        self
    }

    /// Normalises every batch on its device; not at all with `None`, whatever was said before.
    pub fn normalize(mut self, stats: impl Into<Option<Stats>>) -> Self {
        self.stats = stats.into();
        self
    }

    /// The threads that prepare batches, at most 1024; 0 to do so where they are asked for.
    pub fn num_workers(mut self, threads: usize) -> Self {
        self.num_workers = Some(threads);
        self
    }

    /// The device that the batches are for.
    pub fn device(mut self, device: Device) -> Self {
        self.device = Some(device);
        self
    }

    /// What to do about an image that cannot be decoded.
    pub fn bad_images(mut self, bad_images: BadImages) -> Self {
        self.bad_images = bad_images;
        self
    }

    /// How files become images: limits, and what is kept of them.
    pub fn reading(mut self, config: ReadConfig) -> Self {
        self.reading = config;
        self
    }

    /// How folders are read: whom to tell how far it has come, and what to do about one that cannot be
    /// read. Those of training, validation and test images are told of one after the other.
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

    /// Checks the options, reads names and labels (not the images), and puts the data together.
    ///
    /// # Errors
    ///
    /// [`Error::Option`] for an option outside its range; the errors of the steps of the
    /// data block where files, split or labels are not as expected; those
    /// of [`device::default_device`] if no device was given; and [`Error::Io`] for a disk cache that
    /// cannot be written.
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
            // Nobody asked for it, so it may be empty.
            (TestFolder::Default, Some(folder)) => {
                let files = lists.test_files(&folder, &self.indexing)?;
                if !files.is_empty() {
                    lists = lists.with_test(files);
                }
            }
            (TestFolder::Default | TestFolder::None, _) => {}
        }
        let labelled = lists.labelled;
        if let Some(test) = &labelled.test
            && labelled.train.source.is_none()
            && test.source.is_none()
        {
            check_apart(("training", &labelled.train.files), ("test", &test.files))?;
        }
        let classes = Arc::clone(&labelled.classes);
        let train = &labelled.train.targets;
        let class_weights = self.class_weights.resolve(&classes, train)?;
        let draw = match self.sampler {
            Sampler::Shuffled => None,
            Sampler::Balanced => Some(Draw::balanced(classes.len(), train)?),
        };
        let reader = Arc::new(Reader::new(self.reading, self.resizing.size));
        reader.check()?;
        let dataset = |files| ImageDataset::new(files, Arc::clone(&classes), Arc::clone(&reader));
        let pipeline = |list: &[_]| Pipeline::new(list, self.resizing).map(Arc::new);
        Ok(ImageDataBunch {
            train_pipeline: pipeline(&self.transforms.train)?,
            valid_pipeline: pipeline(&self.transforms.valid)?,
            labelled: Arc::new(labelled.map(dataset)),
            reader,
            class_weights: class_weights.map(Into::into),
            draw: draw.map(Arc::new),
            batch_size: self.batch_size,
            val_batch_size: self.val_batch_size.unwrap_or(self.batch_size),
            resizing: self.resizing,
            transforms: Arc::new(self.transforms),
            batch_transforms: self.batch_transforms.into(),
            stats: self.stats,
            num_workers: self.num_workers.unwrap_or_else(default_workers),
            seed: self.seed,
            device,
            bad_images: self.bad_images,
        })
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
                "at most 1024 threads; as many as there are cores are enough",
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
