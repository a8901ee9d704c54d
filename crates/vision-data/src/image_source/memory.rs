//! Images in memory.

use std::error::Error;
use std::path::PathBuf;

use crate::image_source::{ImageContent, ImageSource};

/// Images in memory, as pixels or as the bytes of image files.
///
/// ```
/// use vision_data::{Image, ImageList, MemoryImages};
///
/// let gray = |value| Image::from_rgb8(8, 8, vec![value; 8 * 8 * 3]);
/// let images = MemoryImages::new([("dark/1", gray(20)?), ("light/1", gray(200)?)]);
/// # let folder = tempfile::tempdir().unwrap();
/// let list = ImageList::from_source(folder.path(), images)?;
/// assert_eq!(list.len(), 2);
/// # Ok::<(), vision_data::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct MemoryImages(Vec<(PathBuf, ImageContent)>);

impl MemoryImages {
    /// Creates a source from names and images.
    pub fn new<N: Into<PathBuf>, C: Into<ImageContent>>(
        images: impl IntoIterator<Item = (N, C)>,
    ) -> Self {
        let images = images.into_iter();
        Self(
            images
                .map(|(name, image)| (name.into(), image.into()))
                .collect(),
        )
    }
}

impl ImageSource for MemoryImages {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn name(&self, item: usize) -> PathBuf {
        self.0[item].0.clone()
    }

    fn read(&self, item: usize) -> Result<ImageContent, Box<dyn Error + Send + Sync>> {
        Ok(self.0[item].1.clone())
    }
}
