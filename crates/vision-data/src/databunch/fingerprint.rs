//! A fingerprint of the data: what a model was trained and validated on.

use std::fs;
use std::path::{Component, Path};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use vision_base::message::hex;

use crate::databunch::ImageDataBunch;
use crate::databunch::dataset::ImageDataset;

/// A hash over the training and validation images by name, size and label: [`ImageDataBunch::fingerprint`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataFingerprint {
    /// The SHA-256, as 64 hexadecimal digits.
    pub hash: String,
    /// The number of training images.
    pub train: usize,
    /// The number of validation images.
    pub valid: usize,
}

impl ImageDataBunch {
    /// A fingerprint of the training and validation images: a hash over each part's names relative to the
    /// root, file sizes and labels, sorted. The same files with the same labels in the same parts have the
    /// same fingerprint on every machine, whatever their order.
    ///
    /// No image is read: the file system gives the sizes. So it notices files that were added, removed,
    /// renamed, moved to another part, labeled differently or changed in size, and not those whose content
    /// changed and has the same number of bytes. Images that are not files count by name and label.
    ///
    /// ```
    /// # use vision_data::ImageDataBunch;
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = vision_data::datasets::synthetic::digits(&folder.path().join("digits"), 1, 4, 2)?;
    /// let data = ImageDataBunch::from_folder(&path).batch_size(2).build()?;
    /// let fingerprint = data.fingerprint();
    /// assert_eq!((fingerprint.train, fingerprint.valid, fingerprint.hash.len()), (8, 4, 64));
    /// # Ok::<(), vision_data::Error>(())
    /// ```
    pub fn fingerprint(&self) -> DataFingerprint {
        let mut hash = Sha256::new();
        for (part, dataset) in [("train", self.train_ds()), ("valid", self.valid_ds())] {
            let mut lines: Vec<String> = (0..dataset.len())
                .map(|item| line(self.path(), dataset, item))
                .collect();
            lines.sort_unstable();
            hash.update(format!("{part} {}\n", lines.len()));
            for line in lines {
                hash.update(line);
            }
        }
        DataFingerprint {
            hash: hex(&hash.finalize()),
            train: self.train_ds().len(),
            valid: self.valid_ds().len(),
        }
    }
}

/// Name, size and label of an item. The name is written as Rust would, so that no name can contain the end of a line.
fn line(root: &Path, dataset: &ImageDataset, item: usize) -> String {
    let path = &dataset.paths()[item];
    let inner = path.strip_prefix(root).unwrap_or(path);
    // The separators of paths differ between systems.
    let parts = inner.components().map(Component::as_os_str);
    let name: Vec<String> = parts.map(|part| format!("{part:?}")).collect();
    let size = match dataset.are_files() {
        true => fs::metadata(path).ok().map(|metadata| metadata.len()),
        false => None,
    };
    let label = dataset.label_text(item);
    format!("{} {size:?} {label:?}\n", name.join("/"))
}
