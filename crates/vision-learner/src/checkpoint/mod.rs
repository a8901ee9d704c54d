//! Saving and loading a learner's state.
//!
//! A checkpoint is one safetensors file, so it is either complete or absent. It holds the model's
//! parameters and buffers under fastai's names, the optimizer's moments as `optimizer.<k>.<name>`, and a
//! JSON manifest in the header's metadata. A human-readable copy of the manifest is written as
//! `<name>.json`; loading ignores it.

mod compare;
mod export;
mod loading;
mod manifest;
pub(crate) mod place;
pub(crate) mod saver;
pub(crate) mod snapshot;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use burn::tensor::{Tensor, TensorData};
use vision_base::console;
use vision_base::message::shown;
use vision_models::weights::{Format, LoadReport, Seal, WeightsFile, WeightsSource, check_seal};

use crate::checkpoint::loading::{absent_biases, compare};
use crate::checkpoint::manifest::{KEY, Manifest, OptimizerManifest, misfit};
use crate::checkpoint::place::{check_ours, checkpoint_path, make_folder};
use crate::checkpoint::snapshot::{Extra, Snapshot, moment_name};
use crate::learner::Learner;
use crate::optim::{GroupedOptimizer, ParamState};
use crate::train::recorder::Recorder;
use crate::{Error, Result};

/// How [`Learner::load_with`] compares a checkpoint with the learner.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct LoadConfig {
    other_preprocessing: bool,
}

impl LoadConfig {
    /// Requires that everything that affects predictions is the same.
    pub fn new() -> Self {
        Self::default()
    }

    /// Allows the data to differ from the checkpoint's in image size, resize method, padding mode,
    /// validation transforms or statistics, which changes predictions. Default: false.
    pub fn with_other_preprocessing(mut self, allowed: bool) -> Self {
        self.other_preprocessing = allowed;
        self
    }
}

/// What a checkpoint holds, once it is known to fit.
pub(crate) struct Checkpoint {
    /// Parameters and buffers by name.
    pub(crate) weights: HashMap<String, Vec<f32>>,
    pub(crate) optimizer: Option<GroupedOptimizer>,
    manifest: Option<Manifest>,
    report: LoadReport,
}

impl Learner {
    /// Saves model and optimizer as `<path>/<model_dir>/<name>.safetensors` and returns that path.
    ///
    /// An absolute `name` is used as given. The write is atomic: the file appears only when it is
    /// complete and on disk, and an existing file is kept until then.
    ///
    /// # Errors
    ///
    /// [`Error::Option`] if the name is not a valid file name, or if a file of that name (or its `.json`) exists that is
    /// no checkpoint of this library, [`Error::NotFiniteWeights`] if a
    /// parameter or a running statistic is NaN or infinite, [`Error::Io`] or [`Error::Models`] if the
    /// folder cannot be written.
    pub fn save(&self, name: impl AsRef<Path>) -> Result<PathBuf> {
        let path = self.place_of(name.as_ref())?;
        self.snapshot(Some(self.recorder()))
            .write(&path, Extra::default())?;
        Ok(path)
    }

    pub(crate) fn snapshot<'a>(&'a self, history: Option<&'a Recorder>) -> Snapshot<'a> {
        Snapshot {
            model: &*self.model,
            optimizer: self.optimizer.as_ref(),
            groups: &self.groups,
            arch: self.arch(),
            data: self.data(),
            seed: self.settings.seed,
            epochs_trained: self.epochs_trained,
            history,
        }
    }

    /// Where a checkpoint of this name goes; its folder exists afterwards.
    pub(crate) fn place_of(&self, name: &Path) -> Result<PathBuf> {
        let path = checkpoint_path(&self.model_dir(), name)?;
        check_ours(&path)?;
        make_folder(&path)?;
        Ok(path)
    }

    /// Loads a checkpoint written by [`save`](Self::save), or a weights file with fastai's names
    /// (`0.4.0.conv1.weight`).
    ///
    /// Weights files may be in PyTorch's format, safetensors or ONNX, with the weights under any key and
    /// any name prefix. The heads of fastai 2 have no biases; these become 0. If a file of the given
    /// name exists, it is read whatever its extension; otherwise `.safetensors` is appended. If a file
    /// contains several sets of weights, a [`WeightsSource`] selects one.
    ///
    /// Nothing changes unless everything fits. The optimizer's state is restored if the file has one for
    /// the same optimizer and layer groups; otherwise training continues with a fresh one. The report
    /// lists what else the file contains; [`weights_report`](Self::weights_report) keeps it.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchFile`] if the file does not exist (it lists the files that do),
    /// [`Error::Checkpoint`] if the file is of another architecture or other classes, and
    /// [`Error::Models`] if it cannot be read or a parameter is missing or has another shape.
    #[doc(alias("load_learner", "load_state_dict"))]
    pub fn load(&mut self, name: impl Into<WeightsSource>) -> Result<LoadReport> {
        self.load_with(name, LoadConfig::new())
    }

    /// [`load`](Self::load) with options: `config` sets what may differ.
    ///
    /// # Errors
    ///
    /// As [`load`](Self::load).
    pub fn load_with(
        &mut self,
        name: impl Into<WeightsSource>,
        config: LoadConfig,
    ) -> Result<LoadReport> {
        let source = self.existing(name.into())?;
        let Checkpoint {
            weights,
            optimizer,
            manifest,
            report,
        } = self.read_checkpoint(&source, config)?;
        self.put(weights);
        self.optimizer = optimizer;
        if let Some(manifest) = manifest {
            self.epochs_trained = manifest.epochs_trained;
            if let Some(history) = manifest.history {
                self.recorder = history;
            }
        }
        Ok(self.keep_report(report))
    }

    /// Takes weights, running statistics and optimizer from a checkpoint of this fit; the history stays.
    pub(crate) fn reload(&mut self, path: &Path) -> Result<()> {
        let checkpoint = self.read_own(path)?;
        self.put(checkpoint.weights);
        self.optimizer = checkpoint.optimizer;
        Ok(())
    }

    /// Reads a checkpoint of this fit: what may differ in preprocessing is known.
    pub(crate) fn read_own(&self, path: &Path) -> Result<Checkpoint> {
        let config = LoadConfig::new().with_other_preprocessing(true);
        self.read_checkpoint(&path.into(), config)
    }

    /// Reads a checkpoint, or a weights file of another program, that fits this learner.
    fn read_checkpoint(&self, source: &WeightsSource, config: LoadConfig) -> Result<Checkpoint> {
        let path = source.path().to_owned();
        let file = WeightsFile::open(source)?;
        let seal = match file.format() {
            Format::Safetensors => check_seal(&path)?,
            _ => Seal::None,
        };
        let mut notes = Vec::new();
        let manifest = match file.metadata(KEY) {
            Some(json) => {
                let (manifest, more) = self.check_manifest(&path, json, config)?;
                notes.extend(more);
                Some(manifest)
            }
            None => None,
        };
        if seal == Seal::None {
            match &manifest {
                Some(manifest) if manifest.format > 1 => {
                    let hint = "the file is damaged, or was changed by another program";
                    return Err(misfit(&path, "sha256", "a hash", "none", hint));
                }
                Some(_) => {}
                None => notes
                    .push("it has no hash of its content, so damage cannot be detected".to_owned()),
            }
        }
        let entries = self.model.entries();
        let file = match manifest {
            Some(_) if !source.chooses() => file,
            _ => self.find_model(&file, &entries)?,
        };
        let mut weights = match manifest {
            // Heads written by this library are complete.
            Some(_) => HashMap::new(),
            None => absent_biases(&file, &entries),
        };
        let zeroed: Vec<String> = weights.keys().cloned().collect();
        for entry in entries.iter().filter(|e| !zeroed.contains(&e.name)) {
            self.check_shape(&path, &file, &entry.name, &entry.shape)?;
            weights.insert(entry.name.clone(), file.read_f32(&entry.name)?);
        }
        let optimizer = match &manifest {
            Some(Manifest {
                optimizer: Some(saved),
                ..
            }) => self.read_optimizer(&path, &file, saved)?,
            _ => None,
        };
        let mut report = compare(&file, &entries, &zeroed);
        report.notes.extend(notes);
        Ok(Checkpoint {
            weights,
            optimizer,
            manifest,
            report,
        })
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
        // The head's last layer has one row per class: the most common mismatch.
        let last = self.model.entries().into_iter().rev().find(|e| !e.buffer);
        let classes = last.is_some_and(|last| {
            last.name.rsplit_once('.').map(|p| p.0) == name.rsplit_once('.').map(|p| p.0)
        });
        let hint = match found {
            None => "it was saved from a model with other layers",
            Some(_) if classes => "the checkpoint and this data have different numbers of classes",
            Some(_) => "it was saved from a model with other sizes (lin_ftrs, cut, arch)",
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

    /// The optimizer with the saved state, or `None` if a different optimizer was saved.
    fn read_optimizer(
        &self,
        path: &Path,
        file: &WeightsFile,
        saved: &OptimizerManifest,
    ) -> Result<Option<GroupedOptimizer>> {
        let mut optimizer = self.fresh_optimizer();
        if saved.rule != optimizer.name() || saved.groups.len() != self.groups.len() {
            if !self.settings.silent {
                console::warn(format_args!(
                    "{}: the optimizer's state ({}, {} groups) is not used; this learner has {} \
                     over {} groups",
                    shown(path),
                    saved.rule,
                    saved.groups.len(),
                    optimizer.name(),
                    self.groups.len()
                ));
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
            if let Some(expected) = saved.moments.filter(|&n| steps > 0 && moments.len() != n) {
                let hint = "the file is damaged, or was written by something else";
                let found = moments.len().to_string();
                let field = format!("the optimizer's moments of {}", entry.name);
                return Err(misfit(path, &field, expected.to_string(), found, hint));
            }
            optimizer.set_state(entry.id, ParamState { steps, moments });
        }
        Ok(Some(optimizer))
    }
}
