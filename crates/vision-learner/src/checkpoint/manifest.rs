//! The manifest of a checkpoint.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use vision_base::message::listed;
use vision_data::{Preprocessing, Stats};

use crate::checkpoint::LoadConfig;
use crate::learner::Learner;
use crate::optim::Hyper;
use crate::train::recorder::Recorder;
use crate::{Error, Result};

/// The metadata key of the manifest.
pub(super) const KEY: &str = "vision";
/// The format version written. Format 1 had no hash, `preprocessing`, `frozen` or `history`.
pub(super) const FORMAT: u32 = 2;
/// Upper limit for epochs and for steps of a parameter; no real run reaches it.
const MOST_STEPS: u64 = 1 << 48;

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
struct Format {
    format: u32,
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

impl Learner {
    /// The manifest of this learner.
    pub(super) fn manifest(&self, optimizer: Option<OptimizerManifest>) -> Manifest {
        let frozen = self.layer_groups();
        let frozen = frozen
            .iter()
            .flatten()
            .filter(|e| !e.trainable && !e.buffer);
        Manifest {
            format: FORMAT,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            arch: self.arch().to_owned(),
            classes: self.data().classes().to_vec(),
            layer_groups: self.groups.len(),
            seed: self.settings.seed,
            epochs_trained: self.epochs_trained,
            normalize: self.data().stats(),
            optimizer,
            preprocessing: Some(self.data().preprocessing()),
            frozen: Some(frozen.map(|e| e.name.clone()).collect()),
            history: Some(self.recorder().clone()),
        }
    }

    /// Reads a manifest and compares it with this learner. Returns notes for the report.
    pub(super) fn check_manifest(
        &self,
        path: &Path,
        json: &str,
        config: LoadConfig,
    ) -> Result<(Manifest, Vec<String>)> {
        let damaged = |error: serde_json::Error| {
            let hint = "the file is damaged, or was written by something else";
            misfit(
                path,
                "manifest",
                format!("format {FORMAT}"),
                error.to_string(),
                hint,
            )
        };
        let Format { format } = serde_json::from_str(json).map_err(damaged)?;
        if !(1..=FORMAT).contains(&format) {
            let hint = "it was written by a newer version of vision: load it with that version";
            let expected = format!("1 to {FORMAT}");
            return Err(misfit(path, "format", expected, format.to_string(), hint));
        }
        let manifest: Manifest = serde_json::from_str(json).map_err(damaged)?;
        if manifest.arch != self.arch() {
            let hint = "create the learner with the checkpoint's architecture";
            return Err(misfit(
                path,
                "architecture",
                self.arch(),
                manifest.arch,
                hint,
            ));
        }
        let (ours, theirs) = (self.data().classes(), &manifest.classes);
        if ours != theirs {
            let list =
                |classes: &[String]| format!("{} ({})", classes.len(), listed(classes.iter()));
            let hint = "build the data with the checkpoint's classes in their order, or load only the body with \
                        `load_partial` and train a new head";
            return Err(misfit(path, "classes", list(ours), list(theirs), hint));
        }
        let counters = manifest.optimizer.iter().flat_map(|o| o.steps.values());
        let most = counters.chain([&manifest.epochs_trained]).max();
        if let Some(&most) = most.filter(|most| **most > MOST_STEPS) {
            let hint = "the file is damaged, or was written by something else";
            let expected = format!("at most {MOST_STEPS} steps or epochs");
            return Err(misfit(
                path,
                "epochs_trained",
                expected,
                most.to_string(),
                hint,
            ));
        }
        let mut notes = Vec::new();
        match &manifest.preprocessing {
            Some(theirs) => self.compare_preprocessing(path, theirs, config, &mut notes)?,
            None if format > 1 => {
                let hint = "the file is damaged, or was written by something else";
                return Err(misfit(
                    path,
                    "preprocessing",
                    "a description",
                    "nothing",
                    hint,
                ));
            }
            None => {
                let ours = self.data().stats();
                if ours != manifest.normalize && !config.other_preprocessing {
                    let text = |stats: Option<Stats>| format!("{stats:?}");
                    return Err(misfit(
                        path,
                        "normalize",
                        text(ours),
                        text(manifest.normalize),
                        OTHER_PREPROCESSING,
                    ));
                }
                notes.push(
                    "an older version of vision wrote it: it has no hash, and does not say which size and \
                     transforms it was trained with, so these were not compared"
                        .to_owned(),
                );
            }
        }
        if manifest.seed != self.settings.seed {
            notes.push(format!(
                "it was trained with the seed {}, this learner has {}: further training takes this learner's",
                manifest.seed, self.settings.seed
            ));
        }
        if let Some(theirs) = &manifest.frozen {
            let now = self.layer_groups();
            let ours = now.iter().flatten().filter(|e| !e.trainable && !e.buffer);
            let ours = ours.count();
            if ours != theirs.len() {
                notes.push(format!(
                    "{} of its parameters were frozen, {ours} of this learner's are: further training takes \
                     this learner's (freeze, unfreeze, freeze_to)",
                    theirs.len()
                ));
            }
        }
        Ok((manifest, notes))
    }

    fn compare_preprocessing(
        &self,
        path: &Path,
        theirs: &Preprocessing,
        config: LoadConfig,
        notes: &mut Vec<String>,
    ) -> Result<()> {
        for (field, ours, theirs) in self.data().preprocessing().differences(theirs) {
            if !config.other_preprocessing {
                return Err(misfit(path, field, ours, theirs, OTHER_PREPROCESSING));
            }
            notes.push(format!(
                "{field} is {ours} here and was {theirs} in training, which `with_other_preprocessing` allows"
            ));
        }
        Ok(())
    }
}

const OTHER_PREPROCESSING: &str = "predictions would differ from those in training: give the data the \
                                   checkpoint's value, or, if the difference is intended, use `load_with(name, \
                                   LoadConfig::new().with_other_preprocessing(true))`";
