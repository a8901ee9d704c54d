//! The options of a data bunch, checked before any work begins.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use burn::tensor::Device;

use crate::databunch::ImageDataBunch;
use crate::dataset::ImageDataset;
use crate::device;
use crate::error::{Error, Result};
use crate::folder::{Found, Layout, TestFolder};
use crate::labels::check_classes;
use crate::loader::BadImages;
use crate::mix::BatchTransform;
use crate::padding::PaddingMode;
use crate::pipeline::Pipeline;
use crate::reader::{ReadConfig, Reader};
use crate::resize::{ResizeMethod, Size};
use crate::resizing::Resizing;
use crate::split::check_valid_pct;
use crate::stats::Stats;
use crate::targets::{TargetKind, Targets};
use crate::transforms::Transforms;

/// The seed if nobody names one.
pub const DEFAULT_SEED: u64 = 42;

/// The most worker threads that are started unless more are asked for.
const MOST_WORKERS: usize = 16;

/// Collects the options of an [`ImageDataBunch`]; [`build`](Self::build) makes it.
///
/// | option | default |
/// |---|---|
/// | `train`, `valid` | folders of these names |
/// | `test` | the folder `test`, if there is one |
/// | `valid_pct` | none: the folders decide |
/// | `classes` | the folders of the training images, sorted |
/// | `batch_size` | 64 |
/// | `val_batch_size` | as `batch_size` |
/// | `size`, `resize_method`, `mult` | images stay as they are |
/// | `padding_mode` | [`PaddingMode::Reflection`] |
/// | `transforms`, `batch_transform` | none |
/// | `normalize` | not |
/// | `num_workers` | the cores, at most 16 |
/// | `seed` | 42 |
/// | `device` | [`device::default_device`] |
/// | `bad_images` | [`BadImages::Fail`] |
/// | `reading` | [`ReadConfig::new`]: 1 GiB of decoded images are kept in memory |
#[derive(Clone, Debug)]
#[must_use = "nothing is read before `build`"]
pub struct ImageDataBunchBuilder {
    /// Without images if it is not to be read.
    read_folder: bool,
    layout: Layout,
    batch_size: usize,
    val_batch_size: Option<usize>,
    resizing: Resizing,
    transforms: Transforms,
    batch_transforms: Vec<BatchTransform>,
    stats: Option<Stats>,
    num_workers: Option<usize>,
    device: Option<Device>,
    bad_images: BadImages,
    reading: ReadConfig,
}

impl ImageDataBunchBuilder {
    pub(crate) fn from_folder(root: PathBuf) -> Self {
        Self {
            read_folder: true,
            layout: Layout {
                root,
                train: "train".to_owned(),
                valid: "valid".to_owned(),
                test: TestFolder::IfPresent,
                valid_pct: None,
                seed: DEFAULT_SEED,
                classes: None,
            },
            batch_size: 64,
            val_batch_size: None,
            resizing: Resizing::default(),
            transforms: Transforms::default(),
            batch_transforms: Vec::new(),
            stats: None,
            num_workers: None,
            device: None,
            bad_images: BadImages::Fail,
            reading: ReadConfig::default(),
        }
    }

    pub(crate) fn without_images(root: PathBuf) -> Self {
        Self {
            read_folder: false,
            ..Self::from_folder(root)
        }
    }

    /// The folder of the training images, in the root.
    pub fn train(mut self, folder: impl Into<String>) -> Self {
        self.layout.train = folder.into();
        self
    }

    /// The folder of the validation images, in the root.
    pub fn valid(mut self, folder: impl Into<String>) -> Self {
        self.layout.valid = folder.into();
        self
    }

    /// The folder of the test images, in the root. They have no labels, whatever their folders.
    pub fn test(mut self, folder: impl Into<String>) -> Self {
        self.layout.test = TestFolder::Named(folder.into());
        self
    }

    /// Reads no test images: with [`valid_pct`](Self::valid_pct), `test` may then be a class.
    pub fn no_test(mut self) -> Self {
        self.layout.test = TestFolder::None;
        self
    }

    /// Splits all images of the root, but for those of the test folder, at random: this fraction
    /// of them (rounded down) is for validation, 0 for none.
    pub fn valid_pct(mut self, fraction: f64) -> Self {
        self.layout.valid_pct = Some(fraction);
        self
    }

    /// Decides the random split, the order of each epoch and all transforms.
    pub fn seed(mut self, seed: u64) -> Self {
        self.layout.seed = seed;
        self
    }

    /// The classes and their order. Images of other classes are left out.
    pub fn classes<S: Into<String>>(mut self, classes: impl IntoIterator<Item = S>) -> Self {
        self.layout.classes = Some(classes.into_iter().map(Into::into).collect());
        self
    }

    /// The items of a training batch.
    pub fn batch_size(mut self, items: usize) -> Self {
        self.batch_size = items;
        self
    }

    /// The items of a batch that is not for training.
    pub fn val_batch_size(mut self, items: usize) -> Self {
        self.val_batch_size = Some(items);
        self
    }

    /// The size of all images: `224` (square, cropped) or `(height, width)` (squished).
    pub fn size(mut self, size: impl Into<Size>) -> Self {
        self.resizing.size = Some(size.into());
        self
    }

    /// How the size is reached, if not in the way that belongs to it.
    pub fn resize_method(mut self, method: ResizeMethod) -> Self {
        self.resizing.resize_method = Some(method);
        self
    }

    /// Rounds the sides to multiples of this, for networks that need it.
    pub fn mult(mut self, mult: usize) -> Self {
        self.resizing.mult = Some(mult);
        self
    }

    /// What is beyond the edges of an image; reflection by default.
    pub fn padding_mode(mut self, mode: PaddingMode) -> Self {
        self.resizing.padding_mode = mode;
        self
    }

    /// What is done to the images, such as [`get_transforms`](crate::get_transforms).
    pub fn transforms(mut self, transforms: impl Into<Transforms>) -> Self {
        self.transforms = transforms.into();
        self
    }

    /// What is done to training batches as a whole; of several, each batch draws one.
    pub fn batch_transform(mut self, transform: BatchTransform) -> Self {
        self.batch_transforms.push(transform);
        self
    }

    /// Normalises every batch on its device.
    pub fn normalize(mut self, stats: Stats) -> Self {
        self.stats = Some(stats);
        self
    }

    /// The threads that prepare batches; 0 to do so where they are asked for.
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

    /// Checks the options, reads the folder (not the images in it), and puts the data together.
    ///
    /// # Errors
    ///
    /// [`Error::BadOption`] for an option outside its range; [`Error::NotAFolder`],
    /// [`Error::MissingFolder`], [`Error::NoImages`], [`Error::Unlabelled`], [`Error::EmptySplit`]
    /// or [`Error::Io`] where the folder is not as expected; [`Error::TooFewClasses`],
    /// [`Error::BadClasses`], [`Error::ClassNotUtf8`] or [`Error::UnknownClasses`] where the
    /// classes are not; and the errors of [`device::default_device`] if no device was given.
    pub fn build(self) -> Result<ImageDataBunch> {
        self.check()?;
        let device = match self.device {
            Some(device) => device,
            None => device::default_device()?,
        };
        let Found {
            classes,
            train,
            valid,
            test,
        } = if self.read_folder {
            self.layout.read()?
        } else {
            classes_alone(&self.layout)?
        };
        let classes: Arc<[String]> = classes.into();
        let reader = Arc::new(Reader::new(self.reading, self.resizing.size));
        let dataset =
            |paths, labels| ImageDataset::new(paths, labels, classes.clone(), reader.clone());
        let pipeline = |list: &[_]| Pipeline::new(list, self.resizing).map(Arc::new);
        Ok(ImageDataBunch {
            train_pipeline: pipeline(&self.transforms.train)?,
            valid_pipeline: pipeline(&self.transforms.valid)?,
            kind: TargetKind::Category,
            c: classes.len(),
            train: dataset(train.0, Targets::Category(train.1)),
            valid: dataset(valid.0, Targets::Category(valid.1)),
            test: test.map(|paths| {
                let unlabelled = Targets::Empty(paths.len());
                dataset(paths, unlabelled)
            }),
            path: Arc::from(self.layout.root.as_path()),
            classes,
            batch_size: self.batch_size,
            val_batch_size: self.val_batch_size.unwrap_or(self.batch_size),
            resizing: self.resizing,
            transforms: Arc::new(self.transforms),
            batch_transforms: self.batch_transforms.into(),
            stats: self.stats,
            num_workers: self.num_workers.unwrap_or_else(default_workers),
            seed: self.layout.seed,
            device,
            bad_images: self.bad_images,
        })
    }

    fn check(&self) -> Result<()> {
        let positive = |option, items: Option<usize>| match items {
            Some(0) => Err(Error::BadOption {
                option,
                expected: "at least 1",
                found: "0".to_owned(),
            }),
            _ => Ok(()),
        };
        positive("batch_size", Some(self.batch_size))?;
        positive("val_batch_size", self.val_batch_size)?;
        self.stats.as_ref().map_or(Ok(()), Stats::check)?;
        self.reading.check()?;
        self.layout.valid_pct.map_or(Ok(()), check_valid_pct)?;
        self.batch_transforms
            .iter()
            .try_for_each(BatchTransform::check)?;
        Pipeline::new(&self.transforms.train, self.resizing)?;
        Pipeline::new(&self.transforms.valid, self.resizing).map(drop)
    }
}

/// The data of a learner that is only to predict.
fn classes_alone(layout: &Layout) -> Result<Found> {
    let classes = layout.classes.clone().unwrap_or_default();
    check_classes(&classes)?;
    if classes.len() < 2 {
        return Err(Error::TooFewClasses {
            folder: Path::to_owned(&layout.root),
            classes,
        });
    }
    Ok(Found {
        classes,
        train: (Vec::new(), Vec::new()),
        valid: (Vec::new(), Vec::new()),
        test: None,
    })
}

fn default_workers() -> usize {
    thread::available_parallelism().map_or(1, |cores| cores.get().min(MOST_WORKERS))
}
