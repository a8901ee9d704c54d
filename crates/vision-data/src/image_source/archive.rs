//! Images in an archive.

use std::path::{Path, PathBuf};

use vision_fetch::archive::{Contents, Limits};

use crate::error::Result;
use crate::files::index::is_image_file;
use crate::image_source::{ImageContent, ImageSource};

/// The images of a `.zip` or a `.tgz`, which is not unpacked.
///
/// Images are the files with an extension of [`IMAGE_EXTENSIONS`](crate::files::IMAGE_EXTENSIONS), sorted
/// by name; hidden files are skipped. A `.zip` is read from disk. A `.tgz` can be read only from its
/// beginning, so its images are kept in memory, in their encoded form.
#[derive(Debug)]
pub struct ArchiveImages {
    contents: Contents,
    /// The images, sorted by name.
    order: Vec<usize>,
}

impl ArchiveImages {
    /// Opens an archive of at most 8 GiB in total and 1 GiB per file.
    ///
    /// # Errors
    ///
    /// [`Error::Fetch`](crate::Error::Fetch) with the problem: the file cannot be read, is not an archive, is
    /// damaged, exceeds the limits, or has unsafe names.
    pub fn open(archive: impl AsRef<Path>) -> Result<Self> {
        let limits = Limits::new()
            .with_max_total(8 << 30)
            .with_max_entry(1 << 30);
        Self::open_within(archive, &limits)
    }

    /// Like [`open`](Self::open), with other limits.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub fn open_within(archive: impl AsRef<Path>, limits: &Limits) -> Result<Self> {
        let is_hidden = |name: &str| name.split('/').any(|part| part.starts_with('.'));
        let wanted = |name: &str| !is_hidden(name) && is_image_file(Path::new(name));
        let contents = Contents::open(archive.as_ref(), limits, wanted)?;
        let mut order: Vec<usize> = (0..contents.names().len()).collect();
        order.sort_unstable_by_key(|&item| Path::new(&contents.names()[item]));
        Ok(Self { contents, order })
    }
}

impl ImageSource for ArchiveImages {
    fn len(&self) -> usize {
        self.order.len()
    }

    fn name(&self, item: usize) -> PathBuf {
        PathBuf::from(&self.contents.names()[self.order[item]])
    }

    fn read(
        &self,
        item: usize,
    ) -> std::result::Result<ImageContent, Box<dyn std::error::Error + Send + Sync>> {
        Ok(self.contents.read(self.order[item])?.into())
    }
}
