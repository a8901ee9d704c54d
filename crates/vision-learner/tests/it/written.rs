//! Sealed files that somebody else wrote: with a right hash, whatever they hold.

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use vision_learner::{Predictor, Result};

/// The metadata key of a deployed model.
const MODEL: &str = "vision.model";

/// The length of the header, with its own length.
pub(crate) fn header(bytes: &[u8]) -> usize {
    8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize
}

/// A file with a right hash: the header's JSON, and the values.
#[derive(Clone)]
pub(crate) struct Written {
    pub(crate) header: Value,
    pub(crate) values: Vec<u8>,
}

impl Written {
    pub(crate) fn of(bytes: &[u8]) -> Self {
        let end = header(bytes);
        Self {
            header: serde_json::from_slice(&bytes[8..end]).unwrap(),
            values: bytes[end..].to_vec(),
        }
    }

    /// The JSON in an entry of the metadata.
    pub(crate) fn entry(&self, key: &str) -> Value {
        let text = self.header["__metadata__"][key].as_str().unwrap();
        serde_json::from_str(text).unwrap()
    }

    pub(crate) fn with_entry(mut self, key: &str, change: impl FnOnce(&mut Value)) -> Self {
        let mut entry = self.entry(key);
        change(&mut entry);
        self.header["__metadata__"][key] = json!(entry.to_string());
        self
    }

    pub(crate) fn manifest(&self) -> Value {
        self.entry(MODEL)
    }

    pub(crate) fn with_manifest(self, change: impl FnOnce(&mut Value)) -> Self {
        self.with_entry(MODEL, change)
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut metadata = self.header.clone();
        metadata["__metadata__"]["sha256"] = json!("0".repeat(64));
        let header = metadata.to_string().into_bytes();
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend(&header);
        bytes.extend(&self.values);
        let digits: String = Sha256::digest(&bytes)
            .iter()
            .map(|b| format!("{b:02x}"))
            .collect();
        let start = b"\"sha256\":\"";
        let found = bytes.windows(start.len()).position(|part| part == start);
        let at = found.unwrap() + start.len();
        bytes[at..at + 64].copy_from_slice(digits.as_bytes());
        bytes
    }

    pub(crate) fn open(&self) -> Result<Predictor> {
        Predictor::from_bytes(&self.bytes())
    }
}
