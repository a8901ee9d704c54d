//! Images that are not files: in memory, in an archive, from a Burn data set, or from a source of your own.

pub(crate) mod archive;
#[cfg(feature = "burn-dataset")]
pub(crate) mod burn;
pub(crate) mod chosen;
pub(crate) mod memory;

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;

use crate::image::Image;

/// A source of images that are not files.
///
/// [`ImageList::from_source`](crate::ImageList::from_source) makes a list of it, and everything after it is
/// as with files: splits and labels by name, transforms, seeded order, worker threads, the cache in memory,
/// limits, and what is done about an image that cannot be decoded.
///
/// ```
/// use std::error::Error;
/// use std::path::PathBuf;
/// use vision_data::{Image, ImageContent, ImageList, ImageSource};
///
/// /// Squares of one gray each, made when they are asked for.
/// struct Grays;
///
/// impl ImageSource for Grays {
///     fn len(&self) -> usize {
///         40
///     }
///
///     fn name(&self, item: usize) -> PathBuf {
///         let class = if item < 20 { "dark" } else { "light" };
///         format!("{class}/{item}").into()
///     }
///
///     fn read(&self, item: usize) -> Result<ImageContent, Box<dyn Error + Send + Sync>> {
///         let gray = 6 * item as u8;
///         Ok(Image::from_rgb8(8, 8, vec![gray; 8 * 8 * 3])?.into())
///     }
/// }
///
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path();
/// let data = ImageList::from_source(path, Grays)?
///     .split_by_rand_pct(0.25, 42)?
///     .label_from_folder()?
///     .databunch()
///     .batch_size(10)
///     .build()?;
/// assert_eq!(data.classes(), ["dark", "light"]);
/// assert_eq!((data.train_ds().len(), data.valid_ds().len()), (30, 10));
/// # Ok::<(), vision_data::Error>(())
/// ```
pub trait ImageSource: Send + Sync {
    /// The number of images.
    fn len(&self) -> usize;

    /// Whether there is no image.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The name of an image, written like a path: `train/cat/1.jpg`. Messages have it, and images are split and
    /// labelled by it, so each image has a name of its own.
    fn name(&self, item: usize) -> PathBuf;

    /// Reads an image: several threads do so at once, in any order, and again in the next epoch unless the
    /// image is kept in memory. It has to be the same each time.
    ///
    /// # Errors
    ///
    /// Whatever is wrong. It becomes [`ImageError::Decode`](crate::ImageError::Decode) with the name of the
    /// image.
    fn read(&self, item: usize) -> Result<ImageContent, Box<dyn Error + Send + Sync>>;
}

impl<S: ImageSource + ?Sized> ImageSource for Arc<S> {
    fn len(&self) -> usize {
        (**self).len()
    }

    fn name(&self, item: usize) -> PathBuf {
        (**self).name(item)
    }

    fn read(&self, item: usize) -> Result<ImageContent, Box<dyn Error + Send + Sync>> {
        (**self).read(item)
    }
}

/// What a source has of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImageContent {
    /// The bytes of an image file, in one of the formats that [`Image`] reads.
    Encoded(Vec<u8>),
    /// Pixels.
    Pixels(Image),
}

impl From<Vec<u8>> for ImageContent {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Encoded(bytes)
    }
}

impl From<Image> for ImageContent {
    fn from(image: Image) -> Self {
        Self::Pixels(image)
    }
}
