//! Cached features on disk: one safetensors file per key, containing only numbers.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use vision_base::io_error;
use vision_base::message::hex;
use vision_models::state::NamedTensor;
use vision_models::weights::{WeightsFile, write_safetensors};

use crate::Result;
use crate::features::{FeatureCache, Key, Rows};

/// The metadata key of the manifest.
const KEY: &str = "vision.features";
const FORMAT: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Manifest {
    format: u32,
    /// Hash of the key.
    key: String,
    /// The parts of the key that are not hashes, for humans.
    setup: String,
    pooled: bool,
    shape: [usize; 3],
    train: Vec<usize>,
    valid: Vec<usize>,
    /// SHA-256 of the values.
    checksum: String,
}

impl Key {
    /// The file of these features in a folder.
    pub(crate) fn path(&self, folder: &Path) -> PathBuf {
        folder.join(format!("{}.safetensors", self.hash()))
    }

    fn hash(&self) -> String {
        let hash = Sha256::new()
            .chain_update(self.weights)
            .chain_update(self.files)
            .chain_update(self.setup.as_bytes());
        hex(&hash.finalize())
    }
}

/// Writes features, atomically.
///
/// # Errors
///
/// [`Error::Models`](crate::Error::Models) if the file cannot be written.
pub(crate) fn write(path: &Path, features: &FeatureCache) -> Result<()> {
    let manifest = Manifest {
        format: FORMAT,
        key: features.key.hash(),
        setup: features.key.setup.clone(),
        pooled: features.pooled,
        shape: features.shape,
        train: features.train.items.clone(),
        valid: features.valid.items.clone(),
        checksum: checksum([&features.train, &features.valid]),
    };
    let json = serde_json::to_string(&manifest)
        .map_err(|e| io_error("write the manifest of", path)(e.into()))?;
    let tensor = |name: &str, rows: &Rows| {
        let mut shape = vec![rows.items.len()];
        shape.extend(features.shape);
        NamedTensor {
            name: name.to_owned(),
            shape,
            values: rows.values.clone(),
        }
    };
    let tensors = [
        tensor("train", &features.train),
        tensor("valid", &features.valid),
    ];
    let metadata = BTreeMap::from([(KEY.to_owned(), json)]);
    Ok(write_safetensors(path, &tensors, &metadata)?)
}

/// Reads the features of a key, or returns what is wrong with the file.
pub(crate) fn read(path: &Path, key: &Key) -> std::result::Result<FeatureCache, String> {
    let file = WeightsFile::open(path).map_err(|e| e.to_string())?;
    let json = file.metadata(KEY).ok_or("it has no manifest")?;
    let manifest: Manifest = serde_json::from_str(json).map_err(|e| e.to_string())?;
    if manifest.format != FORMAT || manifest.key != key.hash() {
        return Err("it was written for other data or another body".to_owned());
    }
    let rows = |name: &str, items: Vec<usize>| {
        let values = file.read_f32(name).map_err(|e| e.to_string())?;
        let len = manifest
            .shape
            .iter()
            .try_fold(items.len(), |a, b| a.checked_mul(*b));
        let ascending = items.windows(2).all(|pair| pair[0] < pair[1]);
        if len != Some(values.len()) || !ascending {
            return Err(format!(
                "{name} does not have the shape that the manifest declares"
            ));
        }
        Ok(Rows { items, values })
    };
    let features = FeatureCache {
        key: key.clone(),
        pooled: manifest.pooled,
        shape: manifest.shape,
        train: rows("train", manifest.train)?,
        valid: rows("valid", manifest.valid)?,
    };
    if checksum([&features.train, &features.valid]) != manifest.checksum {
        return Err("the checksum of its values is wrong".to_owned());
    }
    Ok(features)
}

fn checksum(parts: [&Rows; 2]) -> String {
    let mut hash = Sha256::new();
    for rows in parts {
        hash_values(&mut hash, &rows.values);
    }
    hex(&hash.finalize())
}

/// Adds the bytes of values to a hash.
pub(crate) fn hash_values(hash: &mut Sha256, values: &[f32]) {
    // In chunks: the bytes of a whole layer would be a copy of the layer.
    for piece in values.chunks(4096) {
        let bytes: Vec<u8> = piece.iter().flat_map(|v| v.to_le_bytes()).collect();
        hash.update(bytes);
    }
}
