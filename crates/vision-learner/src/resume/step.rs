//! The file of a saved step: a checkpoint with the position of the fit.

use std::path::Path;

use serde::{Deserialize, Serialize};
use vision_base::message::shown;
use vision_models::state::NamedTensor;
use vision_models::weights::{Seal, WeightsFile, check_seal};

use crate::optim::Hyper;
use crate::resume::journal::Mark;
use crate::resume::position::Position;
use crate::resume::states::{States, Stored, tensor_name};
use crate::train::callback::CallbackState;
use crate::{Error, Result};

/// The metadata key of a step.
pub(super) const KEY: &str = "vision-step";

/// What the file of a step holds besides a checkpoint.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Step {
    /// Counts the saves of a fit.
    pub(super) number: u64,
    /// Whether the fit has ended.
    pub(super) finished: bool,
    pub(super) position: Position,
    pub(super) hyper: Vec<Hyper>,
    pub(super) callbacks: Vec<Stored>,
    pub(super) journal: Mark,
}

impl Step {
    /// Reads the file of a step, whose hash must be right.
    ///
    /// # Errors
    ///
    /// If it cannot be read, or is damaged.
    pub(super) fn read(path: &Path) -> Result<(Self, WeightsFile)> {
        let file = WeightsFile::open(path)?;
        if check_seal(path)? == Seal::None {
            return Err(damaged(path, "it has no hash of its content"));
        }
        let json = file.metadata(KEY);
        let json = json.ok_or_else(|| damaged(path, "it holds no step of a fit"))?;
        let step: Self = serde_json::from_str(json).map_err(|error| damaged(path, error))?;
        if !step.position.is_plausible() {
            return Err(damaged(path, "it holds a position that no fit has"));
        }
        Ok((step, file))
    }

    /// Checks that a fit with so many layer groups and these callbacks, by name and settings, can go on from here.
    pub(super) fn check(
        &self,
        path: &Path,
        groups: usize,
        callbacks: &[(String, String)],
    ) -> Result<()> {
        if self.finished {
            return Ok(());
        }
        if self.hyper.len() != groups {
            let found = self.hyper.len();
            let reason = format!("expected rates of {groups} layer groups, found {found}");
            return Err(damaged(path, reason));
        }
        let mut stored: Vec<&str> = self.callbacks.iter().map(|c| c.name.as_str()).collect();
        for (name, _) in callbacks {
            let Some(at) = stored.iter().position(|stored| stored == name) else {
                let reason = format!("it holds no state of the callback {}", shown(name));
                return Err(damaged(path, reason));
            };
            stored.swap_remove(at);
        }
        Ok(())
    }

    /// Reads the states of the callbacks from the same file.
    pub(super) fn states(&mut self, path: &Path, file: &WeightsFile) -> Result<States> {
        let mut states = Vec::new();
        for (place, stored) in self.callbacks.drain(..).enumerate() {
            let mut tensors = Vec::new();
            for name in stored.tensors {
                let stored = tensor_name(place, &name);
                let missing = || damaged(path, format_args!("{stored} is missing"));
                tensors.push(NamedTensor {
                    shape: file.shape(&stored).ok_or_else(missing)?.to_vec(),
                    values: file.read_f32(&stored)?,
                    name,
                });
            }
            let values = stored.values;
            states.push((stored.name, CallbackState { values, tensors }));
        }
        Ok(States(states))
    }
}

/// An error about a file of a fit.
pub(super) fn damaged(path: &Path, reason: impl std::fmt::Display) -> Error {
    Error::DamagedRun {
        folder: path.parent().unwrap_or(path).to_owned(),
        reason: format!("{}: {reason}", shown(path)),
    }
}
