//! Writing checkpoints.

use std::collections::BTreeMap;
use std::path::Path;

use vision_base::{atomic, io_error};
use vision_data::ImageDataBunch;
use vision_models::state::{Entry, NamedTensor, values};
use vision_models::weights::write_sealed;

use crate::checkpoint::manifest::{FORMAT, KEY, Manifest, OptimizerManifest};
use crate::model::any_model::AnyModel;
use crate::optim::GroupedOptimizer;
use crate::train::recorder::Recorder;
use crate::{Error, Result};

/// The state of a learner that a checkpoint holds.
pub(crate) struct Snapshot<'a> {
    pub(crate) model: &'a dyn AnyModel,
    pub(crate) optimizer: Option<&'a GroupedOptimizer>,
    pub(crate) groups: &'a [Vec<Entry>],
    pub(crate) arch: &'a str,
    pub(crate) data: &'a ImageDataBunch,
    pub(crate) seed: u64,
    pub(crate) epochs_trained: u64,
    /// None for a file that has its history elsewhere.
    pub(crate) history: Option<&'a Recorder>,
}

/// What a file holds besides a checkpoint.
#[derive(Debug, Default)]
pub(crate) struct Extra {
    pub(crate) tensors: Vec<NamedTensor>,
    pub(crate) metadata: BTreeMap<String, String>,
    /// Whether the readable copy of the manifest is left out.
    pub(crate) without_copy: bool,
}

impl Snapshot<'_> {
    /// Writes the checkpoint, with what else the file is to hold, and the readable copy of its manifest beside it.
    ///
    /// # Errors
    ///
    /// [`Error::NotFiniteWeights`] if a parameter or a running statistic is NaN or infinite, and the errors
    /// of writing.
    pub(crate) fn write(&self, path: &Path, extra: Extra) -> Result<()> {
        let mut tensors = self.model.tensors();
        for tensor in &tensors {
            if let Some(&found) = tensor.values.iter().find(|value| !value.is_finite()) {
                return Err(Error::NotFiniteWeights {
                    path: path.to_owned(),
                    name: tensor.name.clone(),
                    found,
                });
            }
        }
        let optimizer = self.optimizer.map(|optimizer| {
            let mut steps = BTreeMap::new();
            let mut moments = 0;
            for entry in self.groups.iter().flatten() {
                let Some(state) = optimizer.state(entry.id) else {
                    continue;
                };
                steps.insert(entry.name.clone(), state.steps);
                moments = moments.max(state.moments.len());
                for (k, moment) in state.moments.iter().enumerate() {
                    tensors.push(NamedTensor {
                        name: moment_name(k, &entry.name),
                        shape: entry.shape.clone(),
                        values: values(moment.clone()),
                    });
                }
            }
            OptimizerManifest {
                rule: optimizer.name().to_owned(),
                groups: optimizer.groups().to_vec(),
                steps,
                moments: Some(moments),
            }
        });
        tensors.extend(extra.tensors);
        let manifest = self.manifest(optimizer);
        let json = |pretty: bool| {
            let text = if pretty {
                serde_json::to_string_pretty(&manifest)
            } else {
                serde_json::to_string(&manifest)
            };
            text.map_err(|e| io_error("write the manifest of", path)(e.into()))
        };
        let mut metadata = extra.metadata;
        metadata.insert("format".to_owned(), "pt".to_owned());
        metadata.insert(KEY.to_owned(), json(false)?);
        write_sealed(path, &tensors, &metadata)?;
        if !extra.without_copy {
            atomic::write(&path.with_extension("json"), json(true)?.as_bytes())?;
        }
        Ok(())
    }

    fn manifest(&self, optimizer: Option<OptimizerManifest>) -> Manifest {
        let entries = self.model.entries();
        let frozen = entries.iter().filter(|e| !e.trainable && !e.buffer);
        Manifest {
            format: FORMAT,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            arch: self.arch.to_owned(),
            classes: self.data.classes().to_vec(),
            layer_groups: self.groups.len(),
            seed: self.seed,
            epochs_trained: self.epochs_trained,
            normalize: self.data.stats(),
            optimizer,
            preprocessing: Some(self.data.preprocessing()),
            frozen: Some(frozen.map(|e| e.name.clone()).collect()),
            history: self.history.cloned(),
        }
    }
}

pub(super) fn moment_name(k: usize, parameter: &str) -> String {
    format!("optimizer.{k}.{parameter}")
}
