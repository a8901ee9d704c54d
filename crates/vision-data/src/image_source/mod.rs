//! Image sources other than files: memory, archives, Burn data sets, and your own sources.

pub(crate) mod archive;
#[cfg(feature = "burn-dataset")]
pub(crate) mod burn;
pub(crate) mod chosen;
pub(crate) mod memory;
pub(crate) mod order;
pub(crate) mod shards;

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;

use crate::image::Image;

/// A source of images other than files.
///
/// Pass it to [`ImageList::from_source`](crate::ImageList::from_source). Everything else works as with
/// files: splits and labels by name, transforms, seeded order, worker threads, the cache in memory,
/// limits, and the handling of images that cannot be decoded.
///
/// ```
/// use std::error::Error;
/// use std::path::PathBuf;
/// use vision_data::{Image, ImageContent, ImageList, ImageSource};
///
/// /// Squares of one gray each, drawn on request.
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

    /// Whether there are no images.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The name of an image, written like a path: `train/cat/1.jpg`. It appears in messages, and splits and
    /// labels are derived from it, so each name must be unique.
    fn name(&self, item: usize) -> PathBuf;

    /// Reads an image. Several threads call this at once, in any order, and again in later epochs unless the
    /// image is kept in memory. It must return the same image each time.
    ///
    /// # Errors
    ///
    /// Any error. It becomes [`ImageError::Decode`](crate::ImageError::Decode) with the name of the
    /// image.
    fn read(&self, item: usize) -> Result<ImageContent, Box<dyn Error + Send + Sync>>;

    /// The shard that an image lies in, if the source is in several. Those of a shard must follow each other.
    fn shard(&self, _item: usize) -> usize {
        0
    }

    /// From how many images the next one of an epoch is drawn. With fewer than there are, an epoch goes through the
    /// [shards](Self::shard) in random order, and only those of so many images are in use at once. Default: all.
    fn shuffle_buffer(&self) -> usize {
        usize::MAX
    }

    /// How many images ahead of the one that is prepared [`expect`](Self::expect) is called. Default: none.
    fn read_ahead(&self) -> usize {
        0
    }

    /// Called for an image that will soon be read, so that it can be brought nearer. Must not wait.
    fn expect(&self, _item: usize) {}

    /// The number of streams of disjoint shards in which an epoch is read side by side: each fills the same slice of all
    /// batches. Default: one.
    fn streams(&self) -> usize {
        1
    }
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

    fn shard(&self, item: usize) -> usize {
        (**self).shard(item)
    }

    fn shuffle_buffer(&self) -> usize {
        (**self).shuffle_buffer()
    }

    fn streams(&self) -> usize {
        (**self).streams()
    }

    fn read_ahead(&self) -> usize {
        (**self).read_ahead()
    }

    fn expect(&self, item: usize) {
        (**self).expect(item);
    }
}

/// The content of an image in a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImageContent {
    /// The bytes of an image file, in one of the formats that [`Image`] reads.
    Encoded(Vec<u8>),
    /// Decoded pixels.
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
