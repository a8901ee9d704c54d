//! From the files of a data set to images, and what is kept of them.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::decode::Limits;
use crate::error::Result;
use crate::image::Image;

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
}

impl Default for ReadConfig {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            memory: 1 << 30,
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
}

/// Reads images for the parts of one data set.
#[derive(Debug)]
pub(crate) struct Reader {
    config: ReadConfig,
    /// Bytes of images that are kept.
    kept: AtomicUsize,
}

impl Reader {
    pub(crate) fn new(config: ReadConfig) -> Self {
        Self {
            config,
            kept: AtomicUsize::new(0),
        }
    }

    /// Reads and decodes a file.
    pub(crate) fn read(&self, path: &Path) -> Result<Image> {
        Image::open_within(path, &self.config.limits)
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
    fn no_more_is_kept_than_the_budget_and_what_is_forgotten_makes_room() {
        let reader = Reader::new(ReadConfig::new().with_memory(100));
        assert!(reader.keep(60) && !reader.keep(41) && reader.keep(40) && !reader.keep(1));
        reader.forget(60);
        assert!(!reader.keep(usize::MAX) && reader.keep(60));
        assert!(!Reader::new(ReadConfig::new().with_memory(0)).keep(1));
    }
}
