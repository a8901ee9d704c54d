//! Limits on the content of an archive.

use std::path::Path;

use crate::error::{Error, Result};

/// Limits on the content of an archive. The defaults fit every data set of fastai's list with
/// plenty of room.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Limits {
    pub(crate) max_entries: u64,
    pub(crate) max_total: u64,
    pub(crate) max_entry: u64,
    pub(crate) max_ratio: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_entries: 2_000_000,
            max_total: 64 << 30,
            max_entry: 4 << 30,
            max_ratio: 200,
        }
    }
}

impl Limits {
    /// The defaults, each named at its method.
    pub fn new() -> Self {
        Self::default()
    }

    /// Files and folders in the archive (2,000,000).
    pub fn with_max_entries(mut self, entries: u64) -> Self {
        self.max_entries = entries;
        self
    }

    /// Bytes of all files together (64 GiB).
    pub fn with_max_total(mut self, bytes: u64) -> Self {
        self.max_total = bytes;
        self
    }

    /// Bytes of one file (4 GiB).
    pub fn with_max_entry(mut self, bytes: u64) -> Self {
        self.max_entry = bytes;
        self
    }

    /// Unpacked bytes for each packed one (200), from the first 32 MiB unpacked on. Images
    /// reach about 5; the most that the format can do is 1032.
    pub fn with_max_ratio(mut self, ratio: u64) -> Self {
        self.max_ratio = ratio;
        self
    }
}

pub(crate) fn limit(archive: &Path, limit: &'static str, allowed: u64, found: u64) -> Result<()> {
    if found <= allowed {
        return Ok(());
    }
    Err(Error::ArchiveLimit {
        archive: archive.to_owned(),
        limit,
        allowed,
        found,
    })
}
