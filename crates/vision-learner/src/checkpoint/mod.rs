//! Saving and loading a learner's state.
//!
//! A checkpoint is one safetensors file, so that it is whole or absent: the model's parameters and
//! buffers under fastai's names, the optimizer's moments as `optimizer.<k>.<name>`, and a manifest in JSON
//! in the header's metadata. A copy of the manifest lies beside it as `<name>.json`, for people; loading
//! does not read it.

mod export;
mod loading;

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

use burn::tensor::{Tensor, TensorData};
use serde::{Deserialize, Serialize};
use vision_base::message::{listed, shown};
use vision_base::{atomic, io_error};
use vision_data::Stats;
use vision_models::state::values;
use vision_models::weights::{LoadReport, WeightsFile, write_safetensors};

use crate::checkpoint::loading::{absent_biases, compare};
use crate::learner::Learner;
use crate::optim::{GroupedOptimizer, Hyper, ParamState};
use crate::{Error, Result};

/// The metadata key of the manifest.
const KEY: &str = "vision";
const FORMAT: u32 = 1;

/// What a checkpoint says about itself.
#[derive(Debug, Serialize, Deserialize)]
struct Manifest {
    format: u32,
    /// Version of this crate that wrote the file.
    version: String,
    arch: String,
    classes: Vec<String>,
    layer_groups: usize,
    seed: u64,
    epochs_trained: u64,
    normalize: Option<Stats>,
    optimizer: Option<OptimizerManifest>,
}

#[derive(Debug, Serialize, Deserialize)]
struct OptimizerManifest {
    rule: String,
    groups: Vec<Hyper>,
    /// Steps that each parameter has taken.
    steps: BTreeMap<String, u64>,
}

impl Learner {
    /// Saves model and optimizer as `<path>/<model_dir>/<name>.safetensors` and returns that path.
    ///
    /// An absolute `name` is used as it is. The file appears under its name only when it is complete and
    /// on the disk; one that was there before is kept until then.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] or [`Error::Models`] if the folder cannot be written.
    pub fn save(&self, name: impl AsRef<Path>) -> Result<PathBuf> {
        let path = self.checkpoint_path(name.as_ref());
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(|source| {
                io_error("create the folder", folder)(source)
                    .with_hint("choose another one with .path(..) or .model_dir(..)")
            })?;
        }
        let mut tensors = self.model.tensors();
        let optimizer = self.optimizer.as_ref().map(|optimizer| {
            let mut steps = BTreeMap::new();
            for entry in self.groups.iter().flatten() {
                let Some(state) = optimizer.state(entry.id) else {
                    continue;
                };
                steps.insert(entry.name.clone(), state.steps);
                for (k, moment) in state.moments.iter().enumerate() {
                    tensors.push(vision_models::state::NamedTensor {
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
            }
        });
        let manifest = Manifest {
            format: FORMAT,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            arch: self.name.clone(),
            classes: self.data().classes().to_vec(),
            layer_groups: self.groups.len(),
            seed: self.settings.seed,
            epochs_trained: self.epochs_trained,
            normalize: self.data().stats(),
            optimizer,
        };
        let json = |pretty: bool| {
            let text = if pretty {
                serde_json::to_string_pretty(&manifest)
            } else {
                serde_json::to_string(&manifest)
            };
            text.map_err(|e| io_error("write the manifest of", &path)(e.into()))
        };
        let metadata = BTreeMap::from([
            ("format".to_owned(), "pt".to_owned()),
            (KEY.to_owned(), json(false)?),
        ]);
        write_safetensors(&path, &tensors, &metadata)?;
        atomic::write(&path.with_extension("json"), json(true)?.as_bytes())?;
        Ok(path)
    }

    /// Loads what [`save`](Self::save) wrote, or a weights file with fastai's names (`0.4.0.conv1.weight`),
    /// in PyTorch's format, safetensors or ONNX, under any key and behind any prefix. The heads of fastai 2 have no
    /// biases, which is to say that they are 0. A file that exists under the name is read whatever its extension;
    /// otherwise the name is completed with `.safetensors`.
    ///
    /// Nothing changes unless everything fits. The optimizer's state comes back if the file has one for
    /// the same rule and layer groups; otherwise training goes on with a fresh one. The report says what the
    /// file had beyond that; [`weights_report`](Self::weights_report) keeps it.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchFile`] if there is none, which lists those that there are,
    /// [`Error::Checkpoint`] if the file is of another architecture or other classes, and
    /// [`Error::Models`] if it cannot be read or a parameter is missing or has another shape.
    pub fn load(&mut self, name: impl AsRef<Path>) -> Result<LoadReport> {
        let path = self.existing(name.as_ref())?;
        let file = WeightsFile::open(&path)?;
        let manifest = match file.metadata(KEY) {
            Some(json) => Some(self.check(&path, json)?),
            None => None,
        };
        let entries = self.model.entries();
        let file = match manifest {
            Some(_) => file,
            None => self.open_foreign(&path, &entries)?,
        };
        let mut new = match manifest {
            // Our own heads have all that they need.
            Some(_) => HashMap::new(),
            None => absent_biases(&file, &entries),
        };
        let zeroed: Vec<String> = new.keys().cloned().collect();
        for entry in entries.iter().filter(|e| !zeroed.contains(&e.name)) {
            self.check_shape(&path, &file, &entry.name, &entry.shape)?;
            new.insert(entry.name.clone(), file.read_f32(&entry.name)?);
        }
        let optimizer = match &manifest {
            Some(Manifest {
                optimizer: Some(saved),
                ..
            }) => self.read_optimizer(&path, &file, saved)?,
            _ => None,
        };
        self.put(new);
        self.optimizer = optimizer;
        if let Some(manifest) = manifest {
            self.epochs_trained = manifest.epochs_trained;
        }
        Ok(self.keep_report(compare(&file, &entries, &zeroed)))
    }

    pub(crate) fn checkpoint_path(&self, name: &Path) -> PathBuf {
        let path = self.model_dir().join(name);
        match path.extension().and_then(|e| e.to_str()) {
            Some("safetensors" | "pth" | "pt" | "onnx") => path,
            // Not with_extension: a name such as `lr0.1` has no extension to replace.
            _ => {
                let mut with = path.into_os_string();
                with.push(".safetensors");
                with.into()
            }
        }
    }

    /// Reads the manifest and compares it with this learner.
    fn check(&self, path: &Path, json: &str) -> Result<Manifest> {
        let error = |field: &str, expected: String, found: String, hint| Error::Checkpoint {
            path: path.to_owned(),
            field: field.to_owned(),
            expected,
            found,
            hint,
        };
        let manifest: Manifest = serde_json::from_str(json).map_err(|e| {
            let hint = "the file is damaged, or was written by something else";
            error("manifest", format!("format {FORMAT}"), e.to_string(), hint)
        })?;
        if manifest.format != FORMAT {
            let hint = "it was written by another version of vision";
            let (expected, found) = (FORMAT.to_string(), manifest.format.to_string());
            return Err(error("format", expected, found, hint));
        }
        if manifest.arch != self.name {
            let hint = "make the learner with the checkpoint's architecture";
            return Err(error(
                "architecture",
                self.name.clone(),
                manifest.arch,
                hint,
            ));
        }
        let (ours, theirs) = (self.data().classes(), &manifest.classes);
        if ours != theirs {
            let list =
                |classes: &[String]| format!("{} ({})", classes.len(), listed(classes.iter()));
            let hint = "make the data with the checkpoint's classes in their order, or keep only the body \
                        by training a new head";
            return Err(error("classes", list(ours), list(theirs), hint));
        }
        Ok(manifest)
    }

    fn check_shape(
        &self,
        path: &Path,
        file: &WeightsFile,
        name: &str,
        expected: &[usize],
    ) -> Result<()> {
        let found = file.shape(name);
        if found == Some(expected) {
            return Ok(());
        }
        // The head's last layer has one row per class: the mismatch that people meet most.
        let last = self.model.entries().into_iter().rev().find(|e| !e.buffer);
        let classes = last.is_some_and(|last| {
            last.name.rsplit_once('.').map(|p| p.0) == name.rsplit_once('.').map(|p| p.0)
        });
        let hint = match found {
            None => "it was made by a model with other layers",
            Some(_) if classes => "the checkpoint has another number of classes than this data",
            Some(_) => "it was made by a model of other sizes (lin_ftrs, cut, arch)",
        };
        let found = found.map_or("nothing".to_owned(), |shape| format!("{shape:?}"));
        Err(Error::Checkpoint {
            path: path.to_owned(),
            field: name.to_owned(),
            expected: format!("{expected:?}"),
            found,
            hint,
        })
    }

    /// The optimizer as it was saved, or none if it was another one.
    fn read_optimizer(
        &self,
        path: &Path,
        file: &WeightsFile,
        saved: &OptimizerManifest,
    ) -> Result<Option<GroupedOptimizer>> {
        let mut optimizer = self.fresh_optimizer();
        if saved.rule != optimizer.name() || saved.groups.len() != self.groups.len() {
            if !self.settings.silent {
                eprintln!(
                    "warning: {}: the optimizer's state ({}, {} groups) is not used; this learner has {} \
                     over {} groups",
                    shown(path),
                    saved.rule,
                    saved.groups.len(),
                    optimizer.name(),
                    self.groups.len()
                );
            }
            return Ok(None);
        }
        optimizer.groups_mut().copy_from_slice(&saved.groups);
        let device = self.data().device();
        for entry in self.groups.iter().flatten() {
            let Some(&steps) = saved.steps.get(&entry.name) else {
                continue;
            };
            let mut moments = Vec::new();
            for k in 0.. {
                let name = moment_name(k, &entry.name);
                if !file.contains(&name) {
                    break;
                }
                self.check_shape(path, file, &name, &entry.shape)?;
                let data = TensorData::new(file.read_f32(&name)?, [entry.len()]);
                moments.push(Tensor::<1>::from_data(data, device));
            }
            optimizer.set_state(entry.id, ParamState { steps, moments });
        }
        Ok(Some(optimizer))
    }
}

fn moment_name(k: usize, parameter: &str) -> String {
    format!("optimizer.{k}.{parameter}")
}
