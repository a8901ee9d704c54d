//! Training, validation and test images with everything that turns them into batches.

pub(crate) mod builder;
pub(crate) mod dataset;
pub(crate) mod error;
pub(crate) mod preprocessing;
pub(crate) mod saved;
pub mod sources;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use burn::tensor::{Device, Tensor};
use vision_base::OptionError;
use vision_base::message::shown;

use crate::databunch::builder::ImageDataBunchBuilder;
use crate::databunch::dataset::{DatasetType, ImageDataset};
use crate::databunch::error::DataError;
use crate::databunch::sources::{FromClasses, FromCsv, FromDf, FromFiles, FromFolder};
use crate::error::{Error, Result};
use crate::files::index::{PassedOver, SkippedFolder};
use crate::image::Image;
use crate::labels::class_weights::Draw;
use crate::labels::targets::TargetKind;
use crate::labels::{Dropped, Label};
use crate::loader::batch::{Batch, HostImages, denormalize};
use crate::loader::stats::Stats;
use crate::loader::{BadImages, Loader, Plan};
use crate::pipeline::Pipeline;
use crate::rng::{Purpose, Rng};
use crate::split::PathFn;
use crate::table::Table;
use crate::transforms::Transforms;
use crate::transforms::batch::BatchTransform;
use crate::transforms::resizing::Resizing;
use crate::transforms::size::{ResizeMethod, Size};

/// Labelled images, split in training and validation, and how they become batches.
///
/// Cloning is cheap, and nothing in it changes: what an epoch brings is a function of the seed and
/// the number of the epoch.
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
#[derive(Clone)]
pub struct ImageDataBunch {
    pub(crate) path: Arc<Path>,
    pub(crate) classes: Arc<[String]>,
    pub(crate) kind: TargetKind,
    pub(crate) c: usize,
    pub(crate) class_weights: Option<Arc<[f32]>>,
    /// How items are drawn, if not each once.
    pub(crate) draw: Option<Arc<Draw>>,
    pub(crate) dropped: Arc<[Dropped]>,
    pub(crate) passed: Arc<PassedOver>,
    pub(crate) train: ImageDataset,
    pub(crate) valid: ImageDataset,
    pub(crate) test: Option<ImageDataset>,
    pub(crate) train_pipeline: Arc<Pipeline>,
    pub(crate) valid_pipeline: Arc<Pipeline>,
    pub(crate) batch_size: usize,
    pub(crate) val_batch_size: usize,
    pub(crate) resizing: Resizing,
    pub(crate) transforms: Arc<Transforms>,
    pub(crate) batch_transforms: Arc<[BatchTransform]>,
    pub(crate) stats: Option<Stats>,
    pub(crate) num_workers: usize,
    pub(crate) seed: u64,
    pub(crate) device: Device,
    pub(crate) bad_images: BadImages,
}

impl ImageDataBunch {
    /// Images in folders named after their classes: `train/CLASS/IMAGE` and `valid/CLASS/IMAGE`, or
    /// `CLASS/IMAGE` with [`valid_pct`](ImageDataBunchBuilder::valid_pct). At any depth: the class is the
    /// name of the folder that an image is in, `indoors` of `train/cat/indoors/1.jpg`.
    ///
    /// Files are sorted by path, classes by name; hidden files and what is no image are passed
    /// over. As with all factories, nothing is read before
    /// [`build`](ImageDataBunchBuilder::build).
    pub fn from_folder(path: impl Into<PathBuf>) -> ImageDataBunchBuilder {
        ImageDataBunchBuilder::new(FromFolder::new(path.into()))
    }

    /// Images named in a CSV file with their labels: `labels.csv` in the folder, names in the
    /// first column, labels in the second, a fifth of the images for validation.
    ///
    /// ```
    /// # use vision_data::{Image, ImageDataBunch};
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path();
    /// # for i in 0..10 {
    /// #     Image::from_rgb8(4, 4, vec![0; 48])?.into_rgb_image().save(path.join(format!("{i}.png"))).unwrap();
    /// # }
    /// std::fs::write(
    ///     path.join("labels.csv"),
    ///     "name,label\n0,cat\n1,dog\n2,cat\n3,dog\n4,cat\n5,dog\n6,cat\n7,dog\n8,cat\n9,dog\n",
    /// ).unwrap();
    /// let data = ImageDataBunch::from_csv(path).suffix(".png").batch_size(4).build()?;
    /// assert_eq!(data.classes(), ["cat", "dog"]);
    /// assert_eq!((data.train_ds().len(), data.valid_ds().len()), (8, 2));
    /// # Ok::<(), vision_data::Error>(())
    /// ```
    pub fn from_csv(path: impl Into<PathBuf>) -> ImageDataBunchBuilder<FromCsv> {
        ImageDataBunchBuilder::new(FromCsv::new(path.into()))
    }

    /// As [`from_csv`](Self::from_csv), with a table in memory.
    pub fn from_df(
        path: impl Into<PathBuf>,
        table: impl Into<Arc<Table>>,
    ) -> ImageDataBunchBuilder<FromDf> {
        ImageDataBunchBuilder::new(FromDf::new(path.into(), table.into()))
    }

    /// These images with these labels, a fifth of them for validation. A relative path is one
    /// under the root, unless it begins with the root itself.
    ///
    /// The type of the labels decides their kind: see [`Label`].
    pub fn from_lists<P: Into<PathBuf>, L: Into<Label>>(
        path: impl Into<PathBuf>,
        files: impl IntoIterator<Item = P>,
        labels: impl IntoIterator<Item = L>,
    ) -> ImageDataBunchBuilder<FromFiles> {
        let labels = labels.into_iter().map(Into::into).collect();
        ImageDataBunchBuilder::new(FromFiles::with_list(path.into(), all(files), labels))
    }

    /// These images, labelled by a function of their path; else as
    /// [`from_lists`](Self::from_lists).
    pub fn from_name_func<P: Into<PathBuf>, L: Into<Label>>(
        path: impl Into<PathBuf>,
        files: impl IntoIterator<Item = P>,
        label: impl Fn(&Path) -> L + Send + Sync + 'static,
    ) -> ImageDataBunchBuilder<FromFiles> {
        let label = PathFn::new(move |path: &Path| label(path).into());
        ImageDataBunchBuilder::new(FromFiles::with_func(path.into(), all(files), label))
    }

    /// These images, labelled by what the first group of a regular expression captures in their
    /// path; else as [`from_lists`](Self::from_lists).
    ///
    /// ```
    /// # use vision_data::{ImageDataBunch, files::image_files};
    /// # use vision_data::datasets::synthetic;
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = synthetic::digits(&folder.path().join("digits"), 1, 20, 5)?;
    /// let files = image_files(&path)?;
    /// let data = ImageDataBunch::from_name_re(&path, files, r"/([^/]+)/[^/]+.png$").build()?;
    /// assert_eq!(data.classes(), ["3", "7"]);
    /// # Ok::<(), vision_data::Error>(())
    /// ```
    pub fn from_name_re<P: Into<PathBuf>>(
        path: impl Into<PathBuf>,
        files: impl IntoIterator<Item = P>,
        pattern: impl Into<String>,
    ) -> ImageDataBunchBuilder<FromFiles> {
        let source = FromFiles::with_pattern(path.into(), all(files), pattern.into());
        ImageDataBunchBuilder::new(source)
    }

    /// Data without images, for a learner that is only to predict: classes, size, transforms and
    /// statistics have to be those it was trained with.
    ///
    /// `path` is where the learner looks for its files; it is not read.
    ///
    /// ```
    /// # use vision_data::{ImageDataBunch, Stats, get_transforms};
    /// let data = ImageDataBunch::single_from_classes("models", ["3", "7"])
    ///     .transforms(get_transforms())
    ///     .normalize(Stats::IMAGENET)
    ///     .build()?;
    /// assert_eq!(data.c(), 2);
    /// assert!(data.train_ds().is_empty());
    /// # Ok::<(), vision_data::Error>(())
    /// ```
    pub fn single_from_classes<S: Into<String>>(
        path: impl Into<PathBuf>,
        classes: impl IntoIterator<Item = S>,
    ) -> ImageDataBunchBuilder<FromClasses> {
        let classes = classes.into_iter().map(Into::into).collect();
        ImageDataBunchBuilder::new(FromClasses::new(path.into(), classes))
    }

    /// The root folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The names of the classes, in the order of the labels; none where labels are numbers.
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// The number of outputs that a model for this data has: of classes, or of the numbers of an
    /// item.
    pub fn c(&self) -> usize {
        self.c
    }

    /// The kind of label that the items have.
    pub fn kind(&self) -> TargetKind {
        self.kind
    }

    /// How much each class counts in the loss, if weights were asked for: with one class an item
    /// the weight of the class in the cross-entropy, with several the weight of an item that has
    /// it (`pos_weight`).
    pub fn class_weights(&self) -> Option<&[f32]> {
        self.class_weights.as_deref()
    }

    /// The labels that were left out on request, because they are not among the classes.
    pub fn dropped(&self) -> &[Dropped] {
        &self.dropped
    }

    /// The folders that could not be read and were passed over on request:
    /// [`ImageDataBunchBuilder::indexing`].
    pub fn skipped_folders(&self) -> &[SkippedFolder] {
        &self.passed.folders
    }

    /// Pictures in the folders of the data that are in formats which are not read here, and so are not among
    /// the items: [`UNREAD_EXTENSIONS`](crate::files::index::UNREAD_EXTENSIONS).
    pub fn unread_files(&self) -> &[PathBuf] {
        &self.passed.unread
    }

    /// The device that the batches are for.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// What batches are normalised with.
    pub fn stats(&self) -> Option<Stats> {
        self.stats
    }

    /// The items of a training batch.
    pub fn batch_size(&self) -> usize {
        self.batch_size
    }

    /// The items of a batch that is not for training.
    pub fn val_batch_size(&self) -> usize {
        self.val_batch_size
    }

    /// The size of all images, if one was given.
    pub fn size(&self) -> Option<Size> {
        self.resizing.size
    }

    /// How the size is reached, if that was given.
    pub fn resize_method(&self) -> Option<ResizeMethod> {
        self.resizing.resize_method
    }

    /// The size, and how it is reached.
    pub fn resizing(&self) -> &Resizing {
        &self.resizing
    }

    /// What is done to each image of a part: to apply one draw to an image and to its mask.
    pub fn pipeline(&self, which: DatasetType) -> &Pipeline {
        match which {
            DatasetType::Train => &self.train_pipeline,
            _ => &self.valid_pipeline,
        }
    }

    /// What is done to the images.
    pub fn transforms(&self) -> &Transforms {
        &self.transforms
    }

    /// What is done to training batches as a whole.
    pub fn batch_transforms(&self) -> &[BatchTransform] {
        &self.batch_transforms
    }

    /// The seed of order and transforms.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The training images.
    pub fn train_ds(&self) -> &ImageDataset {
        &self.train
    }

    /// The validation images.
    pub fn valid_ds(&self) -> &ImageDataset {
        &self.valid
    }

    /// The test images, if there are any.
    pub fn test_ds(&self) -> Option<&ImageDataset> {
        self.test.as_ref()
    }

    /// The images behind a [`DatasetType`].
    ///
    /// # Errors
    ///
    /// [`DataError::Empty`](crate::DataError::Empty) if there is no such image.
    pub fn dataset(&self, which: DatasetType) -> Result<&ImageDataset> {
        let dataset = match which {
            DatasetType::Train | DatasetType::Fix => Some(&self.train),
            DatasetType::Valid | DatasetType::Single => Some(&self.valid),
            DatasetType::Test => self.test.as_ref(),
        };
        let hint = || match which {
            _ if self.train.is_empty() => {
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
    /// The epoch matters for training only, where it decides the order and the transforms.
    ///
    /// # Errors
    ///
    /// [`DataError::Empty`](crate::DataError::Empty) if there are no such images, [`DataError::BatchLargerThanSet`](crate::DataError::BatchLargerThanSet) if the
    /// training images do not fill one batch, [`DataError::Worker`](crate::DataError::Worker) if no thread can be started.
    pub fn loader(&self, which: DatasetType, epoch: u64) -> Result<Loader> {
        Loader::new(self.plan(which, epoch)?, self.num_workers)
    }

    /// The positions of the items of an epoch in their data set, in the order in which the batches of
    /// [`loader`](Self::loader) hold them: without those that an incomplete batch would drop.
    ///
    /// # Errors
    ///
    /// As [`loader`](Self::loader), whose threads are not started.
    pub fn order(&self, which: DatasetType, epoch: u64) -> Result<Vec<usize>> {
        Ok(self.plan(which, epoch)?.order)
    }

    /// The number of batches of a whole epoch; 0 where there are no images.
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
    /// As [`loader`](Self::loader), and where an image cannot be used.
    pub fn one_batch(&self, which: DatasetType) -> Result<Batch> {
        self.first_batch(which, self.batch_size_of(which))
    }

    /// The first batch of epoch 0, with another number of items.
    pub(crate) fn first_batch(&self, which: DatasetType, batch_size: usize) -> Result<Batch> {
        let plan = self.plan_with(which, 0, batch_size)?;
        let mut loader = Loader::new(plan, 0)?;
        loader.next().unwrap_or_else(|| {
            Err(Error::Data(DataError::Empty {
                part: which.name(),
                hint: "none of them can be decoded",
            }))
        })
    }

    /// The same data, normalised on the device with `stats`.
    ///
    /// # Errors
    ///
    /// [`DataError::AlreadyNormalized`](crate::DataError::AlreadyNormalized) if it is already, [`Error::Option`] if a standard deviation
    /// is not above zero.
    pub fn normalize(mut self, stats: Stats) -> Result<Self> {
        if let Some(Stats { mean, std }) = self.stats {
            return Err(Error::Data(DataError::AlreadyNormalized { mean, std }));
        }
        stats.check()?;
        self.stats = Some(stats);
        Ok(self)
    }

    /// The same data, normalised with the statistics of its first training batch, as fastai's
    /// `normalize()` without arguments: of the pictures before they are mixed
    /// ([`batch_transform`](ImageDataBunchBuilder::batch_transform)).
    ///
    /// # Errors
    ///
    /// As [`normalize`](Self::normalize) and [`one_batch`](Self::one_batch).
    pub fn normalize_batch(self) -> Result<Self> {
        let unmixed = Self {
            batch_transforms: Arc::default(),
            ..self.clone()
        };
        let stats = unmixed.one_batch(DatasetType::Train)?.images.stats();
        self.normalize(stats)
    }

    /// Undoes the normalisation of a batch `[batch, 3, height, width]`.
    ///
    /// # Errors
    ///
    /// [`Error::Option`] if there are not three channels.
    pub fn denormalize(&self, images: &Tensor<4>) -> Result<Tensor<4>> {
        match &self.stats {
            Some(stats) => denormalize(images.clone(), stats),
            None => Ok(images.clone()),
        }
    }

    /// Reads an image that is not among the items as those are read, by
    /// [`ReadConfig`](crate::ReadConfig), so that what is predicted of it is what validation would find.
    ///
    /// # Errors
    ///
    /// [`ImageError::Decode`](crate::ImageError::Decode) with its path.
    pub fn open(&self, path: impl AsRef<Path>) -> Result<Image> {
        self.train.open(path.as_ref())
    }

    /// One image as the model expects it: made smaller if all are
    /// ([`with_presize`](crate::ReadConfig::with_presize)), through the validation transforms, on the
    /// device, normalised; `[1, 3, height, width]`.
    ///
    /// # Errors
    ///
    /// None at present: an image fits through any transform that `build` has accepted.
    pub fn prepare(&self, image: &Image) -> Result<Tensor<4>> {
        let mut rng = Rng::keyed(Purpose::Augment, self.seed, 0, 0);
        let image = match self.train.reading().presize() {
            Some(_) => &self.train.presized(image.clone()),
            None => image,
        };
        let pixels = self.valid_pipeline.apply(image, &mut rng);
        Ok(HostImages::single(pixels).to_device(&self.device, self.stats.as_ref()))
    }

    /// The same data in another order and with other transforms. The split stays as it is.
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// The same images at another size: for progressive resizing. The split, the order and the
    /// decoded images that are kept stay as they are.
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
    /// [`Error::Option`] for sides outside 1 to 16384 pixels, and for a larger size than JPEGs are
    /// reduced for or images made smaller to ([`ReadConfig`](crate::ReadConfig)).
    pub fn with_size(mut self, size: impl Into<Size>) -> Result<Self> {
        let size = size.into();
        self.train.reading().check(Some(size))?;
        if !self.train.serves(size) {
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
        Ok(self)
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

    fn plan(&self, which: DatasetType, epoch: u64) -> Result<Plan> {
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
                None => Rng::keyed(Purpose::Order, self.seed, epoch, 0).shuffle(&mut order),
                Some(draw) => (order, repeats) = draw.order(self.seed, epoch),
            }
            // An incomplete batch would weigh its items more than others.
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
            epoch: if training { epoch } else { 0 },
            training,
            bad_images: self.bad_images,
            batch_transforms: if training {
                Arc::clone(&self.batch_transforms)
            } else {
                Arc::default()
            },
        })
    }
}

fn all<P: Into<PathBuf>>(files: impl IntoIterator<Item = P>) -> Vec<PathBuf> {
    files.into_iter().map(Into::into).collect()
}

/// What was found: classes, and images in each part.
impl fmt::Display for ImageDataBunch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: {}, {} training, {} validation and {} test images, batches of {}",
            shown(self.path.as_ref()),
            match self.kind {
                TargetKind::Category => format!("{} classes", self.c),
                TargetKind::MultiCategory => format!("{} classes, any number an image", self.c),
                TargetKind::Float if self.c == 1 => "a number an image".to_owned(),
                TargetKind::Float => format!("{} numbers an image", self.c),
            },
            self.train.len(),
            self.valid.len(),
            self.test.as_ref().map_or(0, ImageDataset::len),
            self.batch_size
        )?;
        match self.passed.unread.as_slice() {
            [] => Ok(()),
            [first, others @ ..] => write!(
                f,
                "; {} more in formats that are not read, the first is {}: convert them to JPEG or PNG",
                1 + others.len(),
                shown(first)
            ),
        }
    }
}

impl fmt::Debug for ImageDataBunch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ImageDataBunch")
            .field("path", &self.path)
            .field("classes", &self.classes)
            .field("train", &self.train.len())
            .field("valid", &self.valid.len())
            .field("test", &self.test.as_ref().map(ImageDataset::len))
            .field("batch_size", &self.batch_size)
            .field("size", &self.resizing.size)
            .field("stats", &self.stats)
            .field("seed", &self.seed)
            .finish_non_exhaustive()
    }
}
