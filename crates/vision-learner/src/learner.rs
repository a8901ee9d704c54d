//! The learner: data, model, loss and optimizer, and the operations on them.

use std::collections::HashSet;
use std::env;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use vision_base::{OptionError, console, io_error};
use vision_data::{DatasetType, ImageDataBunch, ImageDefaults};
use vision_models::layers::RandomStream;
use vision_models::state::{Entry, NamedTensor};
use vision_models::weights::LoadReport;

use crate::checkpoint::saver::Saver;
use crate::features::FeatureCache;
use crate::lr_found::LrFind;
use crate::model::any_model::{AnyModel, in_body};
use crate::model::sides::Sides;
use crate::optim::{GroupedOptimizer, Hyper, groups};
use crate::parallel::ranks::Ranks;
use crate::resume::runs::{Begin, Here, Plan, Runs};
use crate::settings::{BnFreeze, Parts, Settings};
use crate::train::callback::Callback;
use crate::train::context::{Context, Fit};
use crate::train::fit::FitConfig;
use crate::train::limits::{ImageLimits, Trial, check_data, with_defaults};
use crate::train::progress::Progress;
use crate::train::recorder::Recorder;
use crate::train::recording::Recording;
use crate::train::run::Run;
use crate::train::state::State;
use crate::{Error, LearningRate, Result, unoptimized};

/// Data, model, loss and optimizer in one.
///
/// Made by [`create_cnn`](crate::create_cnn), or by [`Learner::builder`] around a custom model.
pub struct Learner {
    pub(crate) settings: Settings,
    pub(crate) model: Box<dyn AnyModel>,
    pub(crate) name: String,
    sides: Sides,
    pub(crate) trial: Arc<Trial>,
    /// Whether the body was built with random weights.
    random_body: bool,
    pub(crate) groups: Vec<Vec<Entry>>,
    pub(crate) optimizer: Option<GroupedOptimizer>,
    pub(crate) epochs_trained: u64,
    dropout: RandomStream,
    pub(crate) recorder: Recorder,
    warnings: Vec<String>,
    pub(crate) report: Option<LoadReport>,
    /// Cached outputs of the body; see [`Learner::cache_features`].
    pub(crate) features: Option<FeatureCache>,
    /// The images that the weights were trained on, if they say so.
    images: Option<ImageDefaults>,
    /// When the data was set.
    pub(crate) data_since: SystemTime,
    pub(crate) runs: Runs,
    /// The processes that train together; `None` for one alone.
    pub(crate) parallel: Option<Arc<Ranks>>,
    pub(crate) lr_found: Option<LrFind>,
}

impl Learner {
    pub(crate) fn assemble(
        settings: Settings,
        parts: Parts,
        split: &[String],
        dropout: RandomStream,
    ) -> Result<Self> {
        let groups = groups::split(&parts.model.entries(), &parts.model.starts(), split)?;
        // Check now rather than at the first fit.
        settings.wd.per_group(groups.len())?;
        let mut learner = Self {
            model: parts.model,
            name: parts.name,
            sides: parts.sides,
            trial: Arc::new(Trial::new(parts.features)),
            random_body: parts.random_body,
            groups,
            optimizer: None,
            epochs_trained: 0,
            dropout,
            recorder: Recorder::default(),
            warnings: parts.warnings,
            report: parts.report,
            features: None,
            images: parts.images,
            data_since: SystemTime::now(),
            lr_found: None,
            runs: Runs::new(),
            parallel: None,
            settings,
        };
        if !learner.settings.silent {
            for warning in &learner.warnings {
                console::warn(warning);
            }
            if let Some(note) = &parts.note {
                console::note(note);
            }
        }
        if parts.freeze && learner.groups.len() > 1 {
            learner.freeze()?;
        } else if learner.settings.bn_freeze == BnFreeze::Body {
            learner.unfreeze();
        }
        Ok(learner)
    }

    /// The data.
    pub fn data(&self) -> &ImageDataBunch {
        &self.settings.data
    }

    /// Replaces the data, for example by larger images of the same classes.
    ///
    /// The loss does not change. If it took its class weights from the first data, it keeps those. Weights of the hub bring
    /// their preprocessing to this data, too, where it has none.
    ///
    /// # Errors
    ///
    /// [`Error::Outputs`] if the classes differ, [`Error::Data`] if the kind of label differs.
    pub fn set_data(&mut self, data: ImageDataBunch) -> Result<()> {
        check_data(&data, self.data())?;
        let data = with_defaults(data, self.images.as_ref())?;
        self.settings.data = data.with_seed(self.settings.seed);
        self.features = None;
        self.data_since = SystemTime::now();
        Ok(())
    }

    /// Name of the architecture.
    pub fn arch(&self) -> &str {
        &self.name
    }

    /// The seed of initial weights, dropout and order.
    pub fn seed(&self) -> u64 {
        self.settings.seed
    }

    /// How many epochs it has trained, over all fits, those before a loaded checkpoint included.
    pub fn epochs_trained(&self) -> u64 {
        self.epochs_trained
    }

    /// Warnings about the settings; printed when they arise unless silent.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// The report of the last load of weights from a file, when the learner was built or later: the
    /// loaded, new and unused parameters. `Display` prints a few lines.
    pub fn weights_report(&self) -> Option<&LoadReport> {
        self.report.as_ref()
    }

    /// Learning rates, losses and metrics of every fit of this learner.
    #[doc(alias = "learn.recorder")]
    pub fn recorder(&self) -> &Recorder {
        &self.recorder
    }

    /// The optimizer; `None` before the first fit. Freezing and unfreezing drop it with its state.
    pub fn optimizer(&self) -> Option<&GroupedOptimizer> {
        self.optimizer.as_ref()
    }

    /// The folder of saved models.
    pub fn model_dir(&self) -> PathBuf {
        self.settings.path.join(&self.settings.model_dir)
    }

    /// The parameters of each layer group, in order.
    pub fn layer_groups(&self) -> Vec<Vec<Entry>> {
        let now = self.model.entries();
        let current = |old: &Entry| now.iter().find(|e| e.id == old.id).cloned();
        let group = |group: &Vec<Entry>| group.iter().filter_map(current).collect();
        self.groups.iter().map(group).collect()
    }

    /// Names and values of all parameters and buffers.
    #[doc(alias("learn.model", "state_dict"))]
    pub fn weights(&self) -> Vec<NamedTensor> {
        self.model.tensors()
    }

    /// The number of trainable parameters, and of all parameters. Running statistics do not count.
    #[doc(alias = "learn.summary")]
    pub fn num_params(&self) -> (usize, usize) {
        let entries = self.model.entries();
        let params = entries.iter().filter(|e| !e.buffer);
        params.fold((0, 0), |(trainable, all), e| {
            (
                trainable + if e.trainable { e.len() } else { 0 },
                all + e.len(),
            )
        })
    }

    /// Freezes every layer group but the last. Batch norms keep training unless `train_bn` is off.
    ///
    /// # Errors
    ///
    /// [`Error::FreezeTo`] if there is only one group, since nothing would be frozen.
    pub fn freeze(&mut self) -> Result<()> {
        if self.groups.len() < 2 {
            let groups = self.groups.len();
            return Err(Error::FreezeTo { n: -1, groups });
        }
        self.freeze_to(-1)
    }

    /// Unfreezes all parameters.
    pub fn unfreeze(&mut self) {
        self.freeze_groups(0);
    }

    /// Freezes the first `n` layer groups (a negative `n` counts from the end) and unfreezes the others.
    ///
    /// Drops the optimizer and its state, as fastai does. Batch norms of frozen groups keep training
    /// unless `train_bn` is off. Their running statistics are updated either way, unless `bn_freeze` says
    /// otherwise.
    ///
    /// # Errors
    ///
    /// [`Error::FreezeTo`] if there is no such group.
    pub fn freeze_to(&mut self, n: isize) -> Result<()> {
        let frozen = groups::frozen_groups(n, self.groups.len())?;
        self.freeze_groups(frozen);
        Ok(())
    }

    fn freeze_groups(&mut self, frozen: usize) {
        let train_bn = self.settings.train_bn;
        let all_but_last = self.groups.len().saturating_sub(1);
        let with_fixed_norms = match self.settings.bn_freeze {
            BnFreeze::Off => 0,
            BnFreeze::Frozen => frozen,
            BnFreeze::Body => frozen.max(all_but_last),
        };
        let (mut freeze, mut train) = (Vec::new(), Vec::new());
        let mut fixed_norms = HashSet::new();
        for (at, group) in self.groups.iter().enumerate() {
            for entry in group {
                let is_norm = entry.is_batch_norm();
                if is_norm && at < with_fixed_norms {
                    let layer = entry.name.rsplit_once('.');
                    fixed_norms.extend(layer.map(|(layer, _)| layer.to_owned()));
                    freeze.push(entry.id);
                } else if at >= frozen {
                    train.push(entry.id);
                } else if !(is_norm && train_bn) {
                    freeze.push(entry.id);
                }
            }
        }
        self.model.set_trainable(freeze, false);
        self.model.set_trainable(train, true);
        if self.settings.bn_freeze != BnFreeze::Off {
            self.model
                .set_training(&mut |mode| !fixed_norms.contains(&mode.name));
        }
        self.optimizer = None;
        self.recheck_features();
    }

    /// Trains for `epochs` at a constant learning rate.
    ///
    /// # Errors
    ///
    /// As [`fit_with`](Self::fit_with).
    pub fn fit(&mut self, epochs: usize, lr: impl Into<LearningRate>) -> Result<Recorder> {
        self.fit_with(FitConfig::new(epochs).with_lr(lr))
    }

    /// Trains for `epochs` with the one-cycle policy, peaking at `max_lr`.
    ///
    /// # Errors
    ///
    /// As [`fit_with`](Self::fit_with).
    pub fn fit_one_cycle(
        &mut self,
        epochs: usize,
        max_lr: impl Into<LearningRate>,
    ) -> Result<Recorder> {
        self.fit_with(FitConfig::one_cycle(epochs).with_lr(max_lr))
    }

    /// Trains with `config` and returns the record of this fit.
    ///
    /// The optimizer and its state persist between fits, until layer groups are frozen or unfrozen.
    ///
    /// # Errors
    ///
    /// An invalid setting, data that cannot be read, or [`Error::NotFinite`] when the loss becomes NaN
    /// or infinite. The weights are then those before the failed step.
    pub fn fit_with(&mut self, config: FitConfig) -> Result<Recorder> {
        let result = self.fit_here(config);
        if let (Err(error), Some(ranks)) = (&result, &self.parallel)
            && !error.is_of_all_ranks()
        {
            // The others wait for this process otherwise.
            ranks.leave(error);
        }
        result
    }

    fn fit_here(&mut self, mut config: FitConfig) -> Result<Recorder> {
        let fresh = self.fresh_optimizer();
        let hypers = self.hypers(&config, &fresh)?;
        self.check_can_train()?;
        // Checked by another one of the same rule, so that an error does not drop the state of this one.
        fresh.check()?;
        let batches = self.data().batches(DatasetType::Train);
        let mut scheduler = config.scheduler(&hypers, batches)?;
        let scheduled = scheduler.is_some();
        let mut saver = match config.checkpoint.take() {
            Some(name) => Some(Saver {
                path: match self.is_main() {
                    true => self.place_of(&name)?,
                    false => name,
                },
            }),
            None => None,
        };
        let plan = self.plan(&config, &hypers, format!("{scheduler:?}"));
        let ranks = self.parallel.clone();
        if let Some(ranks) = &ranks {
            self.shake_hands(ranks, &plan)?;
        }
        let silent = self.settings.silent || !self.is_main();
        let Here {
            mut keeper,
            recorder,
            resumed,
        } = match self.open_run(&mut config, &plan)? {
            Begin::Here(here) => *here,
            Begin::Finished(recorder) => return Ok(self.record(recorder)),
        };
        let mut optimizer = self.optimizer.take().unwrap_or(fresh);
        for (group, hyper) in optimizer.groups_mut().iter_mut().zip(&hypers) {
            (group.lr, group.wd) = (hyper.lr, hyper.wd);
        }

        let mut names: Vec<_> = self.settings.metrics.iter().map(|m| m.name()).collect();
        let metrics = names.clone();
        for callback in self.settings.callbacks.iter().chain(&config.callbacks) {
            names.extend(callback.columns(&metrics));
        }
        let mut recorder = recorder.unwrap_or_default();
        recorder.metric_names = names;
        let mut recording = Recording::new();
        let mut progress = Progress::new();
        let mut callbacks: Vec<&mut dyn Callback> = vec![&mut recording];
        if !silent {
            unoptimized::notice();
            callbacks.push(&mut progress);
        }
        let own = self
            .settings
            .callbacks
            .iter_mut()
            .chain(&mut config.callbacks);
        callbacks.extend(own.map(|c| &mut **c as &mut dyn Callback));
        if let Some(scheduler) = &mut scheduler {
            callbacks.push(scheduler);
        }
        if let Some(saver) = &mut saver {
            callbacks.push(saver);
        }
        let run = Run {
            callbacks,
            keeper: keeper.as_mut(),
        };
        let mut ctx = Context {
            state: State {
                n_epochs: config.epochs,
                ..State::default()
            },
            optimizer: &mut optimizer,
            model: &mut self.model,
            metrics: &mut self.settings.metrics,
            data: self.settings.data.clone(),
            features: self.features.as_ref(),
            recorder,
            fit: Fit {
                data: &self.settings.data,
                loss: &*self.settings.loss,
                dropout: &self.dropout,
                seed: self.settings.seed,
                epochs_before: self.epochs_trained,
                start_epoch: config.start_epoch,
                history_before: &self.recorder,
                groups: &self.groups,
                arch: &self.name,
                sides: self.sides,
                precision: self.settings.precision,
                trial: &self.trial,
                device: self.settings.data.device().clone(),
                path: &self.settings.path,
                model_dir: self.settings.path.join(&self.settings.model_dir),
                silent,
                scheduled,
                images: self.images.as_ref(),
                ranks: ranks.as_ref(),
            },
        };
        let result = run.fit(&mut ctx, resumed);
        let Context {
            recorder, state, ..
        } = ctx;
        self.optimizer = Some(optimizer);
        let mut recorder = self.record(recorder);
        result?;
        if let Some(path) = state.reload {
            self.reload_of_main(&path)?;
            recorder.kept = Some(state.reload_scores);
            self.recorder.kept.clone_from(&recorder.kept);
        }
        if let Some(mut keeper) = keeper {
            keeper.finish(&self.snapshot(None), &recorder, config.epochs)?;
            self.end_fit(keeper.run());
        }
        Ok(recorder)
    }

    /// The rate, momentum and decay that a fit begins with, by layer group.
    fn hypers(&self, config: &FitConfig, fresh: &GroupedOptimizer) -> Result<Vec<Hyper>> {
        let n = self.groups.len();
        let lrs = config.lr.per_group(n)?;
        let wds = config.wd.as_ref().unwrap_or(&self.settings.wd);
        let wds = wds.per_group(n)?;
        if self.settings.true_wd {
            check_decay(&lrs, &wds)?;
        }
        let mom = self.optimizer.as_ref().unwrap_or(fresh).mom();
        let hyper = |(&lr, &wd)| Hyper { lr, mom, wd };
        Ok(lrs.iter().zip(&wds).map(hyper).collect())
    }

    /// Checks that there is something to train, and something to train on, before anything changes.
    fn check_can_train(&mut self) -> Result<()> {
        let entries = self.model.entries();
        if !entries.iter().any(|e| e.trainable) {
            return Err(Error::NothingTrains);
        }
        if self.data().batch_size() == 1 && entries.iter().any(Entry::is_batch_norm) {
            return Err(Error::BatchOfOne);
        }
        self.data().order(DatasetType::Train, self.epochs_trained)?;
        if self.usable_features().is_none() {
            // The body no longer gives these features.
            self.features = None;
        }
        self.warn_of_random_body(&entries);
        Ok(())
    }

    /// What decides the course of a fit whose schedule does what `course` says.
    fn plan(&self, config: &FitConfig, hypers: &[Hyper], course: String) -> Plan {
        let own = self.settings.callbacks.iter().chain(&config.callbacks);
        Plan {
            epochs: config.epochs,
            start_epoch: config.start_epoch,
            hypers: hypers.to_vec(),
            schedule: [config.course(), course],
            callbacks: own.map(|c| (c.name(), c.settings())).collect(),
            resumable: config.resumable.is_some(),
        }
    }

    /// Opens the run of a resumable fit.
    fn open_run(&mut self, config: &mut FitConfig, plan: &Plan) -> Result<Begin> {
        match config.resumable.take() {
            Some(resumable) => self.begin(&resumable, plan),
            None => Ok(Begin::Here(Box::default())),
        }
    }

    /// Takes over a checkpoint of this fit, which the main process has saved.
    fn reload_of_main(&mut self, path: &Path) -> Result<()> {
        let Some(ranks) = self.parallel.clone() else {
            return self.reload(path);
        };
        if ranks.is_main() {
            ranks.copy_files(&[path.to_owned()])?;
            return self.reload(path);
        }
        let folder = tempfile::tempdir();
        let folder = folder.map_err(io_error("create a folder in", &env::temp_dir()))?;
        let copy = folder.path().join("model.safetensors");
        ranks.copy_files(std::slice::from_ref(&copy))?;
        self.reload(&copy)
    }

    /// Adds a fit to the history.
    fn record(&mut self, recorder: Recorder) -> Recorder {
        self.epochs_trained += recorder.epochs.len() as u64;
        self.recorder.append(recorder.clone());
        recorder
    }

    pub(crate) fn fresh_optimizer(&self) -> GroupedOptimizer {
        let rule = (self.settings.optimizer)();
        let (true_wd, bn_wd) = (self.settings.true_wd, self.settings.bn_wd);
        GroupedOptimizer::new(rule, &self.groups, true_wd, bn_wd)
    }

    /// An independent optimizer with the same state.
    pub(crate) fn copy_of(&self, optimizer: &GroupedOptimizer) -> GroupedOptimizer {
        let mut copy = self.fresh_optimizer();
        copy.state_from(optimizer);
        copy
    }

    pub(crate) fn limits(&self) -> ImageLimits<'_> {
        ImageLimits {
            arch: &self.name,
            sides: self.sides,
            trial: &self.trial,
            device: self.settings.data.device(),
        }
    }

    /// Warns, once, of a body that cannot learn and has learned nothing.
    fn warn_of_random_body(&mut self, entries: &[Entry]) {
        let frozen =
            |e: &&Entry| in_body(&e.name) && !(e.trainable || e.buffer || e.is_batch_norm());
        if !self.random_body || self.report.is_some() || !entries.iter().any(|e| frozen(&e)) {
            return;
        }
        self.random_body = false;
        let warning = "parameters of the body are frozen at random values, from which the head cannot learn much: load \
                       weights (.pretrained(..), load), or call unfreeze()";
        self.warnings.push(warning.to_owned());
        if !self.settings.silent {
            console::warn(warning);
        }
    }
}

/// Decoupled decay multiplies weights by 1 − lr·wd at each step: below −1 they grow without bound. With a
/// usual decay it is the learning rate that is too large, which training finds out.
fn check_decay(lrs: &[f64], wds: &[f64]) -> Result<()> {
    match lrs
        .iter()
        .zip(wds)
        .find(|(lr, wd)| **wd > 1.0 && *lr * *wd > 1.0)
    {
        Some((lr, wd)) => Err(Error::Option(OptionError::new(
            "weight decay",
            format!(
                "at most 1 / {lr:e}, the learning rate, beyond which it turns the signs of weights"
            ),
            format!("{wd:e}"),
        ))),
        None => Ok(()),
    }
}

impl std::fmt::Debug for Learner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (trainable, all) = self.num_params();
        f.debug_struct("Learner")
            .field("arch", &self.name)
            .field("classes", &self.data().classes())
            .field("layer_groups", &self.groups.len())
            .field("trainable", &trainable)
            .field("parameters", &all)
            .finish_non_exhaustive()
    }
}
