//! The images of one part, in order.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use crate::data_block::labeled::LabeledFiles;
use crate::databunch::error::DataError;
use crate::error::{Error, Result};
use crate::image::Image;
use crate::image::budget::Held;
use crate::image::decode::read;
use crate::image::error::ImageError;
use crate::image::limits::Limits;
use crate::image::problem::ImageProblem;
use crate::image::reader::{ReadConfig, Reader};
use crate::image_source::ImageContent;
use crate::image_source::order::ShardOrder;
use crate::labels::targets::{Target, Targets};
use crate::rng::Rng;

/// Selects images and how they are prepared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DatasetType {
    /// The training images in random order with the training transforms. Drops an incomplete last
    /// batch.
    Train,
    /// The validation images in order.
    Valid,
    /// The test images in order. They have no labels.
    Test,
    /// The training images in order with the validation transforms. Drops nothing.
    Fix,
    /// The validation images in batches of one.
    Single,
}

impl DatasetType {
    /// The name of the part, for messages.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Train | Self::Fix => "training",
            Self::Valid | Self::Single => "validation",
            Self::Test => "test",
        }
    }
}

/// Labeled images, in order. Cloning is cheap.
#[derive(Clone)]
pub struct ImageDataset(Arc<Inner>);

struct Inner {
    files: LabeledFiles,
    classes: Arc<[String]>,
    /// The decoded images that the reader's memory limit allows to keep.
    decoded: Vec<OnceLock<Arc<Image>>>,
    reader: Arc<Reader>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        let kept = self.decoded.iter().filter_map(OnceLock::get);
        self.reader
            .forget(kept.map(|image| image.pixels().len()).sum());
    }
}

impl ImageDataset {
    /// How an epoch goes through the shards of an [`ImageSource`](crate::ImageSource); `None` for other data, and if its
    /// shuffle buffer holds all images.
    pub fn shard_order(&self) -> Option<ShardOrder> {
        self.0.files.source.as_ref()?.shard_order()
    }

    /// How many images ahead the source wants to know what is read.
    pub(crate) fn read_ahead(&self) -> usize {
        let source = self.0.files.source.as_ref();
        source.map_or(0, |source| source.read_ahead())
    }

    /// Tells the source of an image that will be read.
    pub(crate) fn expect(&self, index: usize) {
        if let Some(source) = &self.0.files.source {
            source.expect(index);
        }
    }

    /// The positions of all items in random order, for batches of so many.
    pub(crate) fn order(&self, batch: usize, rng: &mut Rng) -> Vec<usize> {
        match &self.0.files.source {
            Some(source) => source.order(batch, rng),
            None => rng.order(self.len()),
        }
    }

    pub(crate) fn new(files: LabeledFiles, classes: Arc<[String]>, reader: Arc<Reader>) -> Self {
        // Without memory for images, no place for each of them either.
        let slots = if reader.keeps_any() {
            files.files.len()
        } else {
            0
        };
        let decoded = (0..slots).map(|_| OnceLock::new()).collect();
        Self(Arc::new(Inner {
            files,
            classes,
            decoded,
            reader,
        }))
    }

    /// The number of images.
    pub fn len(&self) -> usize {
        self.0.files.files.len()
    }

    /// Whether there are no images.
    pub fn is_empty(&self) -> bool {
        self.0.files.files.is_empty()
    }

    /// The decoded image of an item, before any transform.
    ///
    /// # Errors
    ///
    /// [`ImageError::Decode`](crate::ImageError::Decode) with its path,
    /// [`DataError::NoSuchItem`](crate::DataError::NoSuchItem).
    pub fn image(&self, index: usize) -> Result<Image> {
        self.load(index)
            .map(|image| Arc::unwrap_or_clone(image.value))
    }

    /// The position of an item's class in [`classes`](Self::classes); `None` if the images do not
    /// have exactly one class each, or the item does not exist.
    pub fn label(&self, index: usize) -> Option<usize> {
        match &self.0.files.targets {
            Targets::Category(positions) => positions.get(index).map(|&label| label as usize),
            _ => None,
        }
    }

    /// The labels of all items.
    pub fn labels(&self) -> &Targets {
        &self.0.files.targets
    }

    /// The label of an item as text: its class, its classes joined by `;`, or its numbers joined
    /// by `;`. `None` if the images have no labels, or the item does not exist.
    pub fn label_text(&self, index: usize) -> Option<String> {
        let name = |position: usize| self.0.classes[position].clone();
        self.0.files.targets.get(index).map(|label| match label {
            Target::Category(position) => name(position),
            Target::MultiCategory(positions) => {
                let names: Vec<String> = positions.into_iter().map(name).collect();
                names.join(";")
            }
            Target::Float(values) => {
                let values: Vec<String> = values.iter().map(ToString::to_string).collect();
                values.join(";")
            }
        })
    }

    /// The file of an item, or its name in its source.
    ///
    /// # Errors
    ///
    /// [`DataError::NoSuchItem`](crate::DataError::NoSuchItem).
    pub fn path(&self, index: usize) -> Result<&Path> {
        self.0
            .files
            .files
            .get(index)
            .map(PathBuf::as_path)
            .ok_or(Error::Data(DataError::NoSuchItem {
                index,
                len: self.len(),
            }))
    }

    /// The files, in order, or the names of the images in their source.
    pub fn paths(&self) -> &[PathBuf] {
        &self.0.files.files
    }

    /// The files with their labels.
    pub(crate) fn labeled(&self) -> &LabeledFiles {
        &self.0.files
    }

    /// How the files are read.
    pub fn reading(&self) -> &ReadConfig {
        self.0.reader.config()
    }

    /// The class names, in the order of the label positions.
    pub fn classes(&self) -> &[String] {
        &self.0.classes
    }

    /// Whether the images are files; otherwise they come from an [`ImageSource`](crate::ImageSource).
    pub fn are_files(&self) -> bool {
        self.0.files.source.is_none()
    }

    /// The bytes of an item's file, or its content in the source.
    pub(crate) fn content(
        &self,
        index: usize,
        limits: &Limits,
    ) -> std::result::Result<Held<ImageContent>, ImageProblem> {
        match &self.0.files.source {
            None => {
                let bytes = read(&self.0.files.files[index], limits)?;
                Ok(bytes.map(ImageContent::Encoded))
            }
            Some(source) => Ok(Held::new(source.content(index, limits)?, None)),
        }
    }

    /// The image of an item. The permit is for an image that is not kept.
    pub(crate) fn load(&self, index: usize) -> Result<Held<Arc<Image>>> {
        let path = self.path(index)?;
        let slot = self.0.decoded.get(index);
        if let Some(image) = slot.and_then(OnceLock::get) {
            return Ok(Held::new(Arc::clone(image), None));
        }
        let image = match &self.0.files.source {
            None => self.0.reader.read(path)?,
            Some(source) => {
                let config = self.0.reader.config();
                let content = source.content(index, config.limits());
                let image = content
                    .and_then(|content| content.decode(config.limits(), config.how()))
                    .map_err(|problem| {
                        Error::Image(ImageError::Decode {
                            path: path.to_owned(),
                            problem,
                        })
                    })?;
                self.0.reader.made_small(image)
            }
        };
        let mut image = image.map(Arc::new);
        let bytes = image.pixels().len();
        if let Some(slot) = slot
            && self.0.reader.keep(bytes)
        {
            match slot.set(Arc::clone(&image.value)) {
                Ok(()) => image.permit = None,
                // Another thread has already stored the same pixels.
                Err(_) => self.0.reader.forget(bytes),
            }
        }
        Ok(image)
    }
}

impl fmt::Debug for ImageDataset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ImageDataset")
            .field("len", &self.len())
            .field("classes", &self.classes())
            .field("first", &self.0.files.files.first())
            .finish_non_exhaustive()
    }
}
