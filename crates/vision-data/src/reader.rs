//! From the files of a data set to images, and what is kept of them.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::decode::Limits;
use crate::error::Result;
use crate::image::Image;
use crate::resize::Size;

/// How files become images, and how many of those are kept.
///
/// ```
/// use vision_data::{ImageDataBunch, ReadConfig};
///
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = vision_data::synthetic::digits(&folder.path().join("digits"), 1, 4, 2)?;
/// let data = ImageDataBunch::from_folder(path)
///     .batch_size(2)
///     .reading(ReadConfig::new().with_memory(4 << 30))
///     .build()?;
/// # Ok::<(), vision_data::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadConfig {
    limits: Limits,
    memory: usize,
    reduced_jpegs: bool,
}

impl Default for ReadConfig {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            memory: 1 << 30,
            reduced_jpegs: false,
        }
    }
}

impl ReadConfig {
    /// The default [`Limits`], and 1 GiB of decoded images kept in memory.
    pub fn new() -> Self {
        Self::default()
    }

    /// What one picture may ask for.
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// The bytes of decoded images that all parts of the data together keep in memory, so that
    /// later epochs need not decode them; 1 GiB by default, 0 for none. A picture takes three bytes
    /// a pixel, and those that come first are kept. No result depends on which.
    pub fn with_memory(mut self, bytes: usize) -> Self {
        self.memory = bytes;
        self
    }

    /// Whether JPEGs much larger than the size of the data are decoded at 1/2, 1/4 or 1/8, the
    /// smallest of them that leaves the shorter side at least twice as long as the longer side of
    /// that size; not by default, since pixels differ from those of a whole picture that is made
    /// smaller. Means nothing without a size. A random crop or a zoom then finds fewer pixels to
    /// enlarge. For photos of many megapixels this halves the time or better, and takes 4 to 64
    /// times less memory.
    pub fn with_reduced_jpegs(mut self, reduced: bool) -> Self {
        self.reduced_jpegs = reduced;
        self
    }
}

/// Reads images for the parts of one data set.
#[derive(Debug)]
pub(crate) struct Reader {
    config: ReadConfig,
    /// The side that JPEGs may be reduced to twice of.
    side: Option<u32>,
    /// Bytes of images that are kept.
    kept: AtomicUsize,
}

impl Reader {
    /// `size` is the one that images are to get.
    pub(crate) fn new(config: ReadConfig, size: Option<Size>) -> Self {
        let side = size.filter(|_| config.reduced_jpegs).map(|size| {
            let (height, width) = size.height_width();
            height.max(width) as u32
        });
        Self {
            config,
            side,
            kept: AtomicUsize::new(0),
        }
    }

    /// Reads and decodes a file.
    pub(crate) fn read(&self, path: &Path) -> Result<Image> {
        Image::open_reduced(path, &self.config.limits, self.side)
    }

    /// Whether images are read with all the pixels that `size` needs.
    pub(crate) fn serves(&self, size: Size) -> bool {
        let (height, width) = size.height_width();
        self.side
            .is_none_or(|side| height.max(width) as u64 <= u64::from(side))
    }

    /// Whether there is room to keep so many bytes more. If so, they are taken into account.
    pub(crate) fn keep(&self, bytes: usize) -> bool {
        let grown = |kept: usize| {
            let grown = kept.checked_add(bytes)?;
            (grown <= self.config.memory).then_some(grown)
        };
        self.kept
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, grown)
            .is_ok()
    }

    /// So many bytes are kept no longer.
    pub(crate) fn forget(&self, bytes: usize) {
        self.kept.fetch_sub(bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reduced_jpegs_serve_their_own_size_and_smaller_ones() {
        let read = |reduced| {
            let config = ReadConfig::new().with_reduced_jpegs(reduced);
            Reader::new(config, Some(128.into()))
        };
        assert!(read(true).serves(128.into()) && read(true).serves((64, 100).into()));
        assert!(!read(true).serves(129.into()) && read(false).serves(129.into()));
    }

    #[test]
    fn no_more_is_kept_than_the_budget_and_what_is_forgotten_makes_room() {
        let reader = Reader::new(ReadConfig::new().with_memory(100), None);
        assert!(reader.keep(60) && !reader.keep(41) && reader.keep(40) && !reader.keep(1));
        reader.forget(60);
        assert!(!reader.keep(usize::MAX) && reader.keep(60));
        assert!(!Reader::new(ReadConfig::new().with_memory(0), None).keep(1));
    }
}
