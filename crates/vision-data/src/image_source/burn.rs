//! Burn data sets as image sources, and [`ImageDataset`] as a Burn data set.

use std::error::Error;
use std::path::PathBuf;

use burn_dataset::{Dataset, DatasetError};

use crate::databunch::dataset::ImageDataset;
use crate::image::Image;
use crate::image_source::{ImageContent, ImageSource};
use crate::labels::targets::Target;

/// The items of a Burn data set as images.
///
/// ```
/// use burn_dataset::InMemDataset;
/// use vision_data::{BurnImages, Image, ImageList};
///
/// // Items as in Burn's MNIST: rows of gray, and a label.
/// let items = vec![([20_u8; 64], "dark"), ([200; 64], "light")];
/// let source = BurnImages::new(
///     InMemDataset::new(items),
///     |item, (_, label)| format!("{label}/{item}").into(),
///     |(pixels, _)| {
///         let rgb = pixels.iter().flat_map(|&gray| [gray; 3]).collect();
///         Ok(Image::from_rgb8(8, 8, rgb)?.into())
///     },
/// )?;
/// # let folder = tempfile::tempdir().unwrap();
/// let list = ImageList::from_source(folder.path(), source)?;
/// assert_eq!(list.items()[1].to_str(), Some("light/1"));
/// # Ok::<(), Box<dyn std::error::Error + Send + Sync>>(())
/// ```
pub struct BurnImages<D, I> {
    dataset: D,
    names: Vec<PathBuf>,
    // One closure in one place: an alias would only move its type away from the field.
    #[allow(clippy::type_complexity)]
    image: Box<dyn Fn(I) -> Result<ImageContent, Box<dyn Error + Send + Sync>> + Send + Sync>,
}

impl<D: Dataset<I>, I> BurnImages<D, I> {
    /// `name` gives the name of an item, written like a path, and `image` its pixels or bytes. Each item is
    /// read once now, to get its name.
    ///
    /// # Errors
    ///
    /// The error of the data set, if an item cannot be read.
    pub fn new(
        dataset: D,
        name: impl Fn(usize, &I) -> PathBuf,
        image: impl Fn(I) -> Result<ImageContent, Box<dyn Error + Send + Sync>> + Send + Sync + 'static,
    ) -> Result<Self, DatasetError> {
        let names = (0..dataset.len()).map(|item| Ok(name(item, &dataset.get(item)?)));
        Ok(Self {
            names: names.collect::<Result<_, DatasetError>>()?,
            dataset,
            image: Box::new(image),
        })
    }
}

impl<D: Dataset<I>, I> ImageSource for BurnImages<D, I> {
    fn len(&self) -> usize {
        self.names.len()
    }

    fn name(&self, item: usize) -> PathBuf {
        self.names[item].clone()
    }

    fn read(&self, item: usize) -> Result<ImageContent, Box<dyn Error + Send + Sync>> {
        (self.image)(self.dataset.get(item)?)
    }
}

impl<D, I> std::fmt::Debug for BurnImages<D, I> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "BurnImages of {} items", self.names.len())
    }
}

/// An item of an [`ImageDataset`], as Burn's data loaders receive it.
#[derive(Clone, Debug, PartialEq)]
pub struct ImageItem {
    /// The decoded image, before any transform.
    pub image: Image,
    /// The label; `None` if the images have no labels.
    pub label: Option<Target>,
    /// The file, or the name of the image in its source.
    pub path: PathBuf,
}

impl Dataset<ImageItem, crate::Error> for ImageDataset {
    fn get(&self, index: usize) -> Result<ImageItem, crate::Error> {
        Ok(ImageItem {
            image: self.image(index)?,
            label: self.labels().get(index),
            path: self.path(index)?.to_owned(),
        })
    }

    fn len(&self) -> usize {
        Self::len(self)
    }
}
