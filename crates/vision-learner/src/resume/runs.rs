//! Opens the run of a resumable fit.

use std::collections::HashMap;
use std::env;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use vision_base::io_error;
use vision_data::{DatasetType, ImageDataBunch, ImageDataset};

use crate::learner::Learner;
use crate::optim::Hyper;
use crate::resume::folder::{RunFolder, step_files};
use crate::resume::identity::{Identity, short_hash};
use crate::resume::journal::Journal;
use crate::resume::keeper::{Keeper, Resumed};
use crate::resume::resumable::Resumable;
use crate::resume::step::Step;
use crate::train::precision::Precision;
use crate::train::recorder::Recorder;
use crate::{Error, Result};

/// The runs that a learner has begun, which stay locked for as long as it lives.
pub(crate) type Runs = HashMap<PathBuf, RunFolder>;

/// How a resumable fit begins.
pub(crate) enum Begin {
    /// An earlier process has ended it.
    Finished(Recorder),
    /// It starts, or goes on.
    Here(Box<Here>),
}

/// A fit of this process.
#[derive(Default)]
pub(crate) struct Here {
    /// None if the fit is not resumable.
    pub(crate) keeper: Option<Keeper>,
    /// The history so far.
    pub(crate) recorder: Option<Recorder>,
    pub(crate) resumed: Option<Resumed>,
}

/// What a fit adds to the settings of the learner.
pub(crate) struct Plan {
    pub(crate) epochs: usize,
    pub(crate) start_epoch: usize,
    /// The hyper-parameters of each layer group.
    pub(crate) hypers: Vec<Hyper>,
    /// The schedule by its settings, and all that it does.
    pub(crate) schedule: [String; 2],
    /// Names and settings.
    pub(crate) callbacks: Vec<(String, String)>,
    pub(crate) resumable: bool,
}

impl Learner {
    /// Opens the folder of a resumable fit, and takes over the last step that is saved there.
    pub(crate) fn begin(&mut self, config: &Resumable, plan: &Plan) -> Result<Begin> {
        config.check()?;
        let path = self.settings.path.join(&config.folder);
        let mut copy = None;
        let fit = if self.is_main() {
            if !self.runs.contains_key(&path) {
                let run = RunFolder::open(path.clone())?;
                self.runs.insert(path.clone(), run);
            }
            let identity = self.identity(plan);
            let Some(run) = self.runs.get_mut(&path) else {
                return Ok(Begin::Finished(Recorder::default()));
            };
            let fit = run.next_fit()?;
            identity.check(&fit)?;
            fit
        } else {
            let folder = tempfile::tempdir();
            let folder = folder.map_err(io_error("create a folder in", &env::temp_dir()))?;
            copy.insert(folder).path().to_owned()
        };
        if let Some(ranks) = self.parallel.as_ref().map(Arc::clone) {
            ranks.copy_files(&files(&fit))?;
        }
        let (mut steps, mut reasons) = (Vec::new(), Vec::new());
        for file in step_files(&fit).into_iter().filter(|file| file.exists()) {
            match Step::read(&file) {
                Ok((step, content)) => steps.push((step, content, file)),
                Err(error) => reasons.push(reason(error)),
            }
        }
        steps.sort_by_key(|(step, ..)| step.number);
        let journal = fit.join("journal.jsonl");
        while let Some((mut step, content, file)) = steps.pop() {
            let checkpoint = self.read_own(&file);
            let found = checkpoint.and_then(|checkpoint| {
                step.check(&file, self.groups.len(), &plan.callbacks)?;
                let callbacks = step.states(&file, &content)?;
                let (journal, recorder) = Journal::open(&journal, Some(&step.journal))?;
                Ok((checkpoint, callbacks, journal, recorder))
            });
            let (checkpoint, callbacks, journal, recorder) = match found {
                Ok(found) => found,
                Err(error) => {
                    reasons.push(reason(error));
                    continue;
                }
            };
            self.put(checkpoint.weights);
            self.optimizer = checkpoint.optimizer;
            if step.finished {
                self.end_fit(&path);
                return Ok(Begin::Finished(recorder));
            }
            return Ok(Begin::Here(Box::new(Here {
                keeper: Some(Keeper::new(path, fit, config, journal, step.number, copy)),
                recorder: Some(recorder),
                resumed: Some(Resumed {
                    position: step.position,
                    hyper: step.hyper,
                    callbacks,
                }),
            })));
        }
        if !reasons.is_empty() {
            return Err(Error::DamagedRun {
                folder: fit,
                reason: reasons.join("; "),
            });
        }
        let (journal, _) = Journal::open(&journal, None)?;
        Ok(Begin::Here(Box::new(Here {
            keeper: Some(Keeper::new(path, fit, config, journal, 0, copy)),
            recorder: None,
            resumed: None,
        })))
    }

    /// The next fit in this folder is another one.
    pub(crate) fn end_fit(&mut self, run: &Path) {
        if let Some(run) = self.runs.get_mut(run) {
            run.end_fit();
        }
    }

    /// Everything that decides the course of a fit.
    pub(crate) fn identity(&self, plan: &Plan) -> Identity {
        let data = self.data();
        let images = data.fingerprint();
        let entries = self.model.entries();
        let shapes = entries.iter().map(|e| format!("{} {:?}", e.name, e.shape));
        let frozen = entries.iter().filter(|e| !e.trainable && !e.buffer);
        let frozen: Vec<&str> = frozen.map(|e| e.name.as_str()).collect();
        let json = |value: serde_json::Value| value.to_string();
        let settings = &self.settings;
        let callbacks = plan.callbacks.iter();
        let callbacks: Vec<_> = callbacks.map(|(n, s)| format!("{n} {s}")).collect();
        let each = |value: &dyn Fn(&Hyper) -> f64| {
            format!("{:?}", plan.hypers.iter().map(value).collect::<Vec<_>>())
        };
        // Runs on data without shards keep the identity that they have had. Before the order that they decide: the first
        // difference is the one that is reported.
        let mut fields = Vec::new();
        if let Some(order) = data.train_ds().shard_order() {
            fields.push(("shuffle buffer", order.buffer.to_string()));
            fields.push(("streams of shards", order.streams.to_string()));
        }
        fields.extend([
            (
                "architecture",
                format!(
                    "{}, {} parameters and statistics ({})",
                    self.arch(),
                    entries.len(),
                    short_hash(shapes)
                ),
            ),
            ("classes", json(serde_json::json!(data.classes()))),
            ("training images", images.train.to_string()),
            ("validation images", images.valid.to_string()),
            ("names, sizes and labels of the images", images.hash),
            ("order", order(data, self.epochs_trained)),
            ("seed", settings.seed.to_string()),
            ("batch size", data.batch_size().to_string()),
            (
                "preprocessing",
                json(serde_json::json!(data.preprocessing())),
            ),
            (
                "transforms",
                json(serde_json::json!(data.transforms().train)),
            ),
            ("batch transforms", format!("{:?}", data.batch_transforms())),
            ("epochs", plan.epochs.to_string()),
            ("start epoch", plan.start_epoch.to_string()),
            ("epochs before this fit", self.epochs_trained.to_string()),
            ("learning rates", each(&|hyper| hyper.lr)),
            ("momentum", each(&|hyper| hyper.mom)),
            ("weight decay", each(&|hyper| hyper.wd)),
            (
                "schedule",
                format!("{} ({})", plan.schedule[0], short_hash([&plan.schedule[1]])),
            ),
            ("loss", format!("{:?}", settings.loss)),
            (
                "optimizer",
                format!(
                    "{:?}, true_wd {}, bn_wd {}",
                    (settings.optimizer)(),
                    settings.true_wd,
                    settings.bn_wd
                ),
            ),
            (
                "layer groups",
                format!("{:?}", self.groups.iter().map(Vec::len).collect::<Vec<_>>()),
            ),
            (
                "frozen parameters",
                format!("{} ({})", frozen.len(), short_hash(frozen)),
            ),
            (
                "metrics",
                settings
                    .metrics
                    .iter()
                    .map(|m| m.name())
                    .collect::<Vec<_>>()
                    .join(", "),
            ),
            ("callbacks", callbacks.join("; ")),
        ]);
        // Not said of 32 bits, so that runs of earlier versions go on.
        if settings.precision != Precision::F32 {
            fields.push(("precision", format!("{:?}", settings.precision)));
        }
        Identity::new(fields)
    }
}

/// What a fit goes on from.
fn files(fit: &Path) -> Vec<PathBuf> {
    let steps = step_files(fit).into_iter();
    steps.chain([fit.join("journal.jsonl")]).collect()
}

/// Why a step cannot be used, without what the error says about the run as a whole.
fn reason(error: Error) -> String {
    match error {
        Error::DamagedRun { reason, .. } => reason,
        other => other.to_string(),
    }
}

/// The names of the training images in the order of an epoch, which a sampler decides too, and of the validation images.
fn order(data: &ImageDataBunch, epoch: u64) -> String {
    let name = |dataset: &ImageDataset, item: usize| {
        let path = dataset.paths().get(item)?;
        let name = path.strip_prefix(data.path()).unwrap_or(path);
        Some(name.to_string_lossy().into_owned())
    };
    let (train, valid) = (data.train_ds(), data.valid_ds());
    let order = data.order(DatasetType::Train, epoch).unwrap_or_default();
    let first = order.iter().filter_map(|item| name(train, *item));
    let rest = (0..valid.len()).filter_map(|item| name(valid, item));
    let hash = short_hash(first.chain(rest));
    format!("of {} images ({hash})", order.len())
}
