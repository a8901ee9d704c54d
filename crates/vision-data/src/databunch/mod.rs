//! Training, validation and test images, and everything needed to turn them into batches.

pub(crate) mod builder;
pub(crate) mod dataset;
pub(crate) mod error;
pub(crate) mod factories;
pub(crate) mod fingerprint;
pub(crate) mod image_defaults;
mod overlap;
pub(crate) mod preprocessing;
mod resplit;
pub(crate) mod saved;
mod shared;
pub mod sources;
mod variants;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use burn::tensor::{Device, Tensor};
use vision_base::OptionError;
use vision_base::message::shown;

use crate::data_block::labeled::Labeled;
use crate::databunch::dataset::{DatasetType, ImageDataset};
use crate::databunch::error::DataError;
use crate::decisions::record::Decided;
use crate::error::{Error, Result};
use crate::files::index::SkippedFolder;
use crate::image::Image;
use crate::image::reader::Reader;
use crate::labels::class_weights::Draw;
use crate::labels::kind::{Dropped, TargetKind};
use crate::loader::batch::Batch;
use crate::loader::share::Share;
use crate::loader::stats::{Stats, denormalize};
use crate::loader::{BadImages, Loader, Plan};
use crate::pipeline::Pipeline;
use crate::rng::{Purpose, Rng};
use crate::transforms::batch::BatchTransform;
use crate::transforms::lists::Transforms;
use crate::transforms::resizing::Resizing;
use crate::transforms::size::{ResizeMethod, Size};

/// Labeled images, split into training and validation, with the options that turn them into batches.
///
/// Cloning is cheap. The data is immutable: the batches of an epoch depend only on the seed and the
/// number of the epoch.
///
/// ```
/// # use vision_data::{DatasetType, ImageDataBunch, Stats};
/// # use vision_data::datasets::synthetic;
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = synthetic::digits(&folder.path().join("digits"), 1, 20, 5)?;
/// let data = ImageDataBunch::from_folder(&path).batch_size(16).normalize(Stats::MNIST).build()?;
/// assert_eq!(data.classes(), ["3", "7"]);
/// assert_eq!((data.train_ds().len(), data.valid_ds().len()), (40, 10));
///
/// for batch in data.loader(DatasetType::Train, 0)? {
///     let batch = batch?;
///     let images = batch.to_device(data.device(), data.stats().as_ref());
///     assert_eq!(images.dims(), [16, 3, 28, 28]);
/// }
/// # Ok::<(), vision_data::Error>(())
/// ```
#[doc(alias = "DataBunch")]
#[derive(Clone)]
pub struct ImageDataBunch {
    pub(crate) labeled: Arc<Labeled<ImageDataset>>,
    /// Reads the images of all parts.
    pub(crate) reader: Arc<Reader>,
    pub(crate) class_weights: Option<Arc<[f32]>>,
    /// How training items are drawn; `None` takes each item once.
    pub(crate) draw: Option<Arc<Draw>>,
    pub(crate) train_pipeline: Arc<Pipeline>,
    pub(crate) valid_pipeline: Arc<Pipeline>,
    pub(crate) batch_size: usize,
    pub(crate) val_batch_size: usize,
    pub(crate) resizing: Resizing,
    pub(crate) transforms: Arc<Transforms>,
    pub(crate) batch_transforms: Arc<[BatchTransform]>,
    pub(crate) stats: Option<Stats>,
    /// Whether the user said how to normalize, or not to.
    pub(crate) stats_said: bool,
    pub(crate) num_workers: usize,
    pub(crate) seed: u64,
    /// Which numbers validation transforms draw, if they are random.
    pub(crate) valid_draw: u64,
    pub(crate) device: Device,
    pub(crate) max_batch_bytes: u64,
    pub(crate) bad_images: BadImages,
}

impl ImageDataBunch {
    /// The root folder.
    pub fn path(&self) -> &Path {
        &self.labeled.path
    }

    /// The class names, in the order of the label positions; empty if the labels are numbers.
    pub fn classes(&self) -> &[String] {
        &self.labeled.classes
    }

    /// The number of outputs that a model for this data needs: the number of classes, or of numbers
    /// per item.
    pub fn c(&self) -> usize {
        self.labeled.c
    }

    /// The kind of the labels.
    pub fn kind(&self) -> TargetKind {
        self.labeled.kind
    }

    /// The weight of each class in the loss, if weights were requested. With one class per item it is
    /// the weight of the class in the cross-entropy; with several it is the weight of an item that has
    /// the class (`pos_weight`).
    pub fn class_weights(&self) -> Option<&[f32]> {
        self.class_weights.as_deref()
    }

    /// The labels that were left out on request, because they are not among the classes.
    pub fn dropped(&self) -> &[Dropped] {
        &self.labeled.dropped
    }

    /// The unreadable folders that were skipped on request:
    /// [`ImageDataBunchBuilder::indexing`](crate::ImageDataBunchBuilder::indexing).
    pub fn skipped_folders(&self) -> &[SkippedFolder] {
        &self.labeled.skipped.folders
    }

    /// What the decisions changed: [`ImageDataBunchBuilder::decisions`](crate::ImageDataBunchBuilder::decisions).
    pub fn decided(&self) -> &Decided {
        &self.labeled.decided
    }

    /// Images in the data folders that are not among the items because their format is not supported:
    /// [`UNREAD_EXTENSIONS`](crate::files::UNREAD_EXTENSIONS).
    pub fn unread_files(&self) -> &[PathBuf] {
        &self.labeled.skipped.unread
    }

    /// The device for which batches are prepared.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// The statistics with which batches are normalized.
    pub fn stats(&self) -> Option<Stats> {
        self.stats
    }

    /// The number of items in a training batch.
    pub fn batch_size(&self) -> usize {
        self.batch_size
    }

    /// The number of items in a validation or test batch.
    pub fn val_batch_size(&self) -> usize {
        self.val_batch_size
    }

    /// The size of all images, if one was given.
    pub fn size(&self) -> Option<Size> {
        self.resizing.size
    }

    /// The resize method, if one was given.
    pub fn resize_method(&self) -> Option<ResizeMethod> {
        self.resizing.resize_method
    }

    /// The resizing options.
    pub fn resizing(&self) -> &Resizing {
        &self.resizing
    }

    /// The item transforms of a part: resizing and transforms.
    pub fn pipeline(&self, which: DatasetType) -> &Pipeline {
        match which {
            DatasetType::Train => &self.train_pipeline,
            _ => &self.valid_pipeline,
        }
    }

    /// The item transforms.
    pub fn transforms(&self) -> &Transforms {
        &self.transforms
    }

    /// The batch transforms of training.
    pub fn batch_transforms(&self) -> &[BatchTransform] {
        &self.batch_transforms
    }

    /// The seed of the order and the transforms.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The training images.
    pub fn train_ds(&self) -> &ImageDataset {
        &self.labeled.train
    }

    /// The validation images.
    pub fn valid_ds(&self) -> &ImageDataset {
        &self.labeled.valid
    }

    /// The test images, if there are any.
    pub fn test_ds(&self) -> Option<&ImageDataset> {
        self.labeled.test.as_ref()
    }

    /// The images that a [`DatasetType`] selects.
    ///
    /// # Errors
    ///
    /// [`DataError::Empty`](crate::DataError::Empty) if there are no such images.
    pub fn dataset(&self, which: DatasetType) -> Result<&ImageDataset> {
        let dataset = match which {
            DatasetType::Train | DatasetType::Fix => Some(&self.labeled.train),
            DatasetType::Valid | DatasetType::Single => Some(&self.labeled.valid),
            DatasetType::Test => self.labeled.test.as_ref(),
        };
        let hint = || match which {
            _ if self.labeled.train.is_empty() => {
                "it was made by `single_from_classes`, to predict and not to train"
            }
            DatasetType::Test => "name their folder with `.test(..)`",
            _ => "valid_pct is 0, or no split was made",
        };
        dataset
            .filter(|dataset| !dataset.is_empty())
            .ok_or_else(|| {
                Error::Data(DataError::Empty {
                    part: which.name(),
                    hint: hint(),
                })
            })
    }

    /// The batches of epoch `epoch`; see [`DatasetType`] for their order.
    ///
    /// The epoch decides the order and the transforms of training; other parts ignore it.
    ///
    /// # Errors
    ///
    /// [`DataError::Empty`](crate::DataError::Empty) if there are no such images,
    /// [`DataError::BatchLargerThanSet`](crate::DataError::BatchLargerThanSet) if the training images
    /// do not fill one batch, [`DataError::Worker`](crate::DataError::Worker) if no thread can be
    /// started.
    pub fn loader(&self, which: DatasetType, epoch: u64) -> Result<Loader> {
        self.loader_from(which, epoch, 0)
    }

    /// The batches of [`loader`](Self::loader) from batch `first` on, counted from 0; those before it are not
    /// prepared. Beyond the end there are none.
    ///
    /// # Errors
    ///
    /// Like [`loader`](Self::loader).
    pub fn loader_from(&self, which: DatasetType, epoch: u64, first: usize) -> Result<Loader> {
        Loader::new(self.plan(which, epoch)?, first, self.num_workers)
    }

    /// The positions of the items of an epoch in their dataset, in the order of the batches of
    /// [`loader`](Self::loader). Items that an incomplete batch would drop are left out.
    ///
    /// # Errors
    ///
    /// Like [`loader`](Self::loader), except that no thread is started.
    pub fn order(&self, which: DatasetType, epoch: u64) -> Result<Vec<usize>> {
        Ok(self.plan(which, epoch)?.order)
    }

    /// The number of batches in an epoch; 0 without images.
    pub fn batches(&self, which: DatasetType) -> usize {
        match self.dataset(which) {
            Err(_) => 0,
            Ok(dataset) if which == DatasetType::Train => dataset.len() / self.batch_size,
            Ok(dataset) => dataset.len().div_ceil(self.batch_size_of(which)),
        }
    }

    /// The first batch of epoch 0.
    ///
    /// # Errors
    ///
    /// Those of [`loader`](Self::loader), and those of an image that cannot be used.
    pub fn one_batch(&self, which: DatasetType) -> Result<Batch> {
        self.first_batch(which, self.batch_size_of(which))
    }

    /// The first batch of epoch 0, with another number of items.
    pub(crate) fn first_batch(&self, which: DatasetType, batch_size: usize) -> Result<Batch> {
        let plan = self.plan_with(which, 0, batch_size)?;
        let mut loader = Loader::new(plan, 0, 0)?;
        loader.next().unwrap_or_else(|| {
            Err(Error::Data(DataError::Empty {
                part: which.name(),
                hint: "none of them can be decoded",
            }))
        })
    }

    /// The same data, normalized with the statistics of its first training batch, like fastai's
    /// `normalize()` without arguments. The statistics are those of the images before they are mixed
    /// ([`batch_transforms`](crate::ImageDataBunchBuilder::batch_transforms)). To use known statistics, call
    /// the builder's [`normalize`](crate::ImageDataBunchBuilder::normalize).
    ///
    /// # Errors
    ///
    /// [`DataError::AlreadyNormalized`](crate::DataError::AlreadyNormalized) if the data is normalized
    /// already, [`Error::Option`] if all pixels are equal, and those of [`one_batch`](Self::one_batch).
    #[doc(alias = "normalize")]
    pub fn normalize_batch(mut self) -> Result<Self> {
        if let Some(Stats { mean, std }) = self.stats {
            return Err(Error::Data(DataError::AlreadyNormalized { mean, std }));
        }
        let unmixed = Self {
            batch_transforms: Arc::default(),
            ..self.clone()
        };
        let stats = unmixed.one_batch(DatasetType::Train)?.images.stats();
        stats.check()?;
        self.stats = Some(stats);
        self.stats_said = true;
        Ok(self)
    }

    /// Undoes the normalization of a batch `[batch, 3, height, width]`.
    ///
    /// # Errors
    ///
    /// [`Error::Option`] unless there are three channels.
    pub fn denormalize(&self, images: &Tensor<4>) -> Result<Tensor<4>> {
        match &self.stats {
            Some(stats) => denormalize(images.clone(), stats),
            None => Ok(images.clone()),
        }
    }

    /// Reads an image that is not among the items with the same [`ReadConfig`](crate::ReadConfig), so that
    /// prediction sees it as validation would.
    ///
    /// # Errors
    ///
    /// [`ImageError::Decode`](crate::ImageError::Decode) with its path.
    pub fn open(&self, path: impl AsRef<Path>) -> Result<Image> {
        self.reader.read(path.as_ref()).map(|image| image.value)
    }

    /// Prepares one image for the model: reduces it if the items are reduced
    /// ([`with_short_side`](crate::ReadConfig::with_short_side)), applies the validation transforms, moves it
    /// to the device and normalizes it. Returns `[1, 3, height, width]`.
    ///
    /// # Errors
    ///
    /// [`TransformError::Failed`](crate::TransformError::Failed) if a custom transform fails.
    pub fn prepare(&self, image: &Image) -> Result<Tensor<4>> {
        self.preprocessor().prepare(image)
    }

    /// The same data with another seed for order and transforms. The split stays the same.
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// The same images at another size, for progressive resizing. Keeps the split, the order and the
    /// cached decoded images.
    ///
    /// ```
    /// # use vision_data::{DatasetType, ImageDataBunch};
    /// # use vision_data::datasets::synthetic;
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = synthetic::digits(&folder.path().join("digits"), 1, 20, 5)?;
    /// let small = ImageDataBunch::from_folder(&path).batch_size(8).size(14).build()?;
    /// let large = small.clone().with_size(28)?;
    /// assert_eq!(large.one_batch(DatasetType::Train)?.shape(), [8, 3, 28, 28]);
    /// # Ok::<(), vision_data::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Option`] for sides outside 1 to 16384 pixels, for batches beyond
    /// [`max_batch_bytes`](crate::ImageDataBunchBuilder::max_batch_bytes), and for a size larger than the one to which
    /// JPEGs or images are reduced when they are read ([`ReadConfig`](crate::ReadConfig)).
    pub fn with_size(mut self, size: impl Into<Size>) -> Result<Self> {
        let size = size.into();
        self.reader.config().check(Some(size))?;
        if !self.reader.serves(size) {
            return Err(Error::Option(OptionError::new(
                "size",
                "no larger size than before, since `with_reduced_jpegs` reads JPEGs for \
                           that one; build the data with the largest size first",
                format!("{size:?}"),
            )));
        }
        let sized = |pipeline: &Pipeline| {
            let sized = pipeline.with_size(size)?;
            sized.check_shape().map(|()| Arc::new(sized))
        };
        self.train_pipeline = sized(&self.train_pipeline)?;
        self.valid_pipeline = sized(&self.valid_pipeline)?;
        self.resizing.size = Some(size);
        self.check_batch_bytes()?;
        Ok(self)
    }

    /// Checks that the images of a batch are not too large together.
    pub(crate) fn check_batch_bytes(&self) -> Result<()> {
        let Some((height, width)) = self.resizing.height_width() else {
            return Ok(());
        };
        let parts = [Some(self.train_ds()), Some(self.valid_ds()), self.test_ds()];
        let sizes = [self.batch_size, self.val_batch_size, self.val_batch_size];
        let items = parts
            .iter()
            .zip(sizes)
            .map(|(part, size)| part.map_or(0, |part| size.min(part.len())));
        // A single image to predict is a batch too.
        let items = items.max().unwrap_or(0).max(1) as u64;
        let image = (height as u64 * width as u64).saturating_mul(3 * size_of::<f32>() as u64);
        let bytes = image.saturating_mul(items);
        if bytes <= self.max_batch_bytes {
            return Ok(());
        }
        Err(Error::Option(OptionError::new(
            "size",
            format!(
                "images of which a batch takes at most {} bytes: a smaller size or batch_size, or a higher \
                 max_batch_bytes",
                self.max_batch_bytes
            ),
            format!("{items} x {height}x{width} pixels, which take {bytes} bytes"),
        )))
    }

    /// The same data for another device.
    pub fn with_device(mut self, device: Device) -> Self {
        self.device = device;
        self
    }

    pub(crate) fn batch_size_of(&self, which: DatasetType) -> usize {
        match which {
            DatasetType::Train => self.batch_size,
            DatasetType::Single => 1,
            DatasetType::Valid | DatasetType::Test | DatasetType::Fix => self.val_batch_size,
        }
    }

    pub(crate) fn plan(&self, which: DatasetType, epoch: u64) -> Result<Plan> {
        self.plan_with(which, epoch, self.batch_size_of(which))
    }

    fn plan_with(&self, which: DatasetType, epoch: u64, batch_size: usize) -> Result<Plan> {
        let dataset = self.dataset(which)?;
        let training = which == DatasetType::Train;
        let mut order: Vec<usize> = (0..dataset.len()).collect();
        let mut repeats = Vec::new();
        if training {
            if order.len() < batch_size {
                return Err(Error::Data(DataError::BatchLargerThanSet {
                    batch_size,
                    items: order.len(),
                }));
            }
            match &self.draw {
                None => {
                    let mut rng = Rng::keyed(Purpose::Order, self.seed, epoch, 0);
                    order = dataset.order(batch_size, &mut rng);
                }
                Some(draw) => (order, repeats) = draw.order(self.seed, epoch),
            }
            // The items of an incomplete batch would weigh more than others.
            order.truncate(order.len() / batch_size * batch_size);
        }
        let pipeline = if training {
            &self.train_pipeline
        } else {
            &self.valid_pipeline
        };
        Ok(Plan {
            dataset: dataset.clone(),
            pipeline: Arc::clone(pipeline),
            order,
            repeats,
            batch_size,
            seed: self.seed,
            // Validation is the same in every epoch.
            epoch: if training { epoch } else { self.valid_draw },
            training,
            bad_images: self.bad_images,
            batch_transforms: if training {
                Arc::clone(&self.batch_transforms)
            } else {
                Arc::default()
            },
            share: Share::WHOLE,
        })
    }
}

/// A summary: the classes, and the number of images in each part.
impl fmt::Display for ImageDataBunch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: {}, {} training, {} validation and {} test images, batches of {}",
            shown(&self.labeled.path),
            match self.labeled.kind {
                TargetKind::Category => format!("{} classes", self.labeled.c),
                TargetKind::MultiCategory =>
                    format!("{} classes, any number per image", self.labeled.c),
                TargetKind::Float if self.labeled.c == 1 => "one number per image".to_owned(),
                TargetKind::Float => format!("{} numbers per image", self.labeled.c),
            },
            self.labeled.train.len(),
            self.labeled.valid.len(),
            self.labeled.test.as_ref().map_or(0, ImageDataset::len),
            self.batch_size
        )?;
        let Decided {
            excluded,
            relabeled,
        } = &self.labeled.decided;
        if !excluded.is_empty() || !relabeled.is_empty() {
            let (excluded, relabeled) = (excluded.len(), relabeled.len());
            write!(f, "; decisions exclude {excluded} and relabel {relabeled}")?;
        }
        match self.labeled.skipped.unread.as_slice() {
            [] => Ok(()),
            [first, others @ ..] => write!(
                f,
                "; {} more in unsupported formats, the first is {}: convert them to JPEG or PNG",
                1 + others.len(),
                shown(first)
            ),
        }
    }
}

impl fmt::Debug for ImageDataBunch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ImageDataBunch")
            .field("path", &self.labeled.path)
            .field("classes", &self.labeled.classes)
            .field("train", &self.labeled.train.len())
            .field("valid", &self.labeled.valid.len())
            .field("test", &self.labeled.test.as_ref().map(ImageDataset::len))
            .field("batch_size", &self.batch_size)
            .field("size", &self.resizing.size)
            .field("stats", &self.stats)
            .field("seed", &self.seed)
            .finish_non_exhaustive()
    }
}
