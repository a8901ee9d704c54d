//! The manifest of a checkpoint.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use vision_data::{Preprocessing, Stats};

use crate::Error;
use crate::optim::Hyper;
use crate::train::recorder::Recorder;

/// The metadata key of the manifest.
pub(super) const KEY: &str = "vision";
/// The format version written. Format 1 had no hash, `preprocessing`, `frozen` or `history`.
pub(super) const FORMAT: u32 = 2;
/// Upper limit for epochs and for steps of a parameter; no real run reaches it.
pub(super) const MOST_STEPS: u64 = 1 << 48;

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Manifest {
    pub(super) format: u32,
    /// Version of this crate that wrote the file.
    pub(super) version: String,
    pub(super) arch: String,
    pub(super) classes: Vec<String>,
    pub(super) layer_groups: usize,
    pub(super) seed: u64,
    pub(super) epochs_trained: u64,
    pub(super) normalize: Option<Stats>,
    pub(super) optimizer: Option<OptimizerManifest>,
    #[serde(default)]
    pub(super) preprocessing: Option<Preprocessing>,
    /// The frozen parameters.
    #[serde(default)]
    pub(super) frozen: Option<Vec<String>>,
    #[serde(default)]
    pub(super) history: Option<Recorder>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OptimizerManifest {
    pub(super) rule: String,
    pub(super) groups: Vec<Hyper>,
    /// Number of steps of each parameter.
    pub(super) steps: BTreeMap<String, u64>,
    /// Number of running averages per parameter after its first step. Absent in format 1.
    #[serde(default)]
    pub(super) moments: Option<usize>,
}

/// The fields by which the copy of a manifest beside a checkpoint is known, of any format.
#[derive(Deserialize)]
pub(super) struct Copied {
    #[serde(rename = "format")]
    _format: u32,
    #[serde(rename = "arch")]
    _arch: String,
    #[serde(rename = "epochs_trained")]
    _epochs_trained: u64,
}

/// The only field common to all formats.
#[derive(Deserialize)]
pub(super) struct Format {
    pub(super) format: u32,
}

/// An error about a field of a checkpoint.
pub(super) fn misfit(
    path: &Path,
    field: &str,
    expected: impl Into<String>,
    found: impl Into<String>,
    hint: &'static str,
) -> Error {
    Error::Checkpoint {
        path: path.to_owned(),
        field: field.to_owned(),
        expected: expected.into(),
        found: found.into(),
        hint,
    }
}
