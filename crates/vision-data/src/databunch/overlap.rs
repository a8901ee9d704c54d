//! Images that two parts of data share.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::databunch::dataset::ImageDataset;
use crate::databunch::error::DataError;
use crate::error::{Error, Result};

impl ImageDataset {
    /// The positions of the images that are in `other` too, as the same file or as a copy with the same bytes: such as test
    /// images that a model was trained on.
    ///
    /// Only files of equal size are read. A file that cannot be read is in no other data.
    ///
    /// ```
    /// # use vision_data::ImageDataBunch;
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = vision_data::datasets::synthetic::digits(&folder.path().join("digits"), 1, 4, 2)?;
    /// let trained = ImageDataBunch::from_folder(&path).batch_size(2).build()?;
    /// let all = ImageDataBunch::from_folder(&path).valid_pct(0.0).batch_size(2).build()?;
    /// assert_eq!(all.train_ds().also_in(trained.train_ds())?.len(), 8); // of 12
    /// assert!(trained.valid_ds().also_in(trained.train_ds())?.is_empty());
    /// # Ok::<(), vision_data::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`DataError::NotFiles`](crate::DataError::NotFiles) for images that are not files.
    pub fn also_in(&self, other: &Self) -> Result<Vec<usize>> {
        if !(self.are_files() && other.are_files()) {
            return Err(Error::Data(DataError::NotFiles {
                action: "be compared with other files",
            }));
        }
        let mut by_length: HashMap<u64, Vec<File<'_>>> = HashMap::new();
        for path in other.paths() {
            if let Some((length, file)) = File::open(path) {
                by_length.entry(length).or_default().push(file);
            }
        }
        let is_shared = |item: &usize| {
            let Some((length, file)) = File::open(&self.paths()[*item]) else {
                return false;
            };
            let alike = by_length.get(&length).map_or(&[][..], Vec::as_slice);
            alike.iter().any(|other| file.is_same_file(other))
                || alike.iter().any(|other| file.has_same_bytes(other))
        };
        Ok((0..self.len()).filter(is_shared).collect())
    }
}

/// A file, with what has been found out about it.
struct File<'a> {
    path: &'a Path,
    place: OnceCell<Option<PathBuf>>,
    hash: OnceCell<Option<String>>,
}

impl<'a> File<'a> {
    /// Its length, and the file; nothing if it is not there.
    fn open(path: &'a Path) -> Option<(u64, Self)> {
        let metadata = fs::metadata(path).ok()?;
        let file = Self {
            path,
            place: OnceCell::new(),
            hash: OnceCell::new(),
        };
        metadata.is_file().then_some((metadata.len(), file))
    }

    fn is_same_file(&self, other: &File<'_>) -> bool {
        if self.path == other.path {
            return true;
        }
        let place = |file: &File<'_>| {
            let found = file.place.get_or_init(|| fs::canonicalize(file.path).ok());
            found.clone()
        };
        // Names differ in most cases already.
        self.path.file_name() == other.path.file_name()
            && place(self).is_some_and(|own| Some(own) == place(other))
    }

    fn has_same_bytes(&self, other: &File<'_>) -> bool {
        let hash = |file: &File<'_>| {
            let read = || vision_fetch::sha256_of(file.path).ok();
            file.hash.get_or_init(read).clone()
        };
        hash(self).is_some_and(|own| Some(own) == hash(other))
    }
}
