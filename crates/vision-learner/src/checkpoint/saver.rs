//! Saving checkpoints during a fit.

use std::path::PathBuf;

use vision_models::state::Entry;

use crate::Result;
use crate::checkpoint::snapshot::Snapshot;
use crate::train::callback::{Callback, Context};
use crate::train::recorder::{Recorder, Recording};

/// Saves a checkpoint after each epoch.
pub(crate) struct Saver {
    pub(crate) path: PathBuf,
    pub(crate) groups: Vec<Vec<Entry>>,
    pub(crate) arch: String,
    pub(crate) seed: u64,
    /// Epochs before this fit, and their history.
    pub(crate) epochs_before: u64,
    pub(crate) history_before: Recorder,
    /// The history of this fit.
    pub(crate) recording: Recording,
}

impl Callback for Saver {
    fn order(&self) -> i32 {
        // After all callbacks that may change the model.
        i32::MAX
    }

    fn on_epoch_begin(&mut self, ctx: &mut Context<'_>) -> Result<()> {
        self.recording.on_epoch_begin(ctx)
    }

    fn on_batch_begin(&mut self, ctx: &mut Context<'_>) -> Result<()> {
        self.recording.on_batch_begin(ctx)
    }

    fn on_backward_begin(&mut self, ctx: &mut Context<'_>) -> Result<()> {
        self.recording.on_backward_begin(ctx)
    }

    fn on_epoch_end(&mut self, ctx: &mut Context<'_>) -> Result<()> {
        self.recording.on_epoch_end(ctx)?;
        let fit = &self.recording.recorder;
        let mut history = self.history_before.clone();
        history.append(fit.clone());
        let snapshot = Snapshot {
            model: &**ctx.model,
            optimizer: Some(ctx.optimizer),
            groups: &self.groups,
            arch: &self.arch,
            data: ctx.data,
            seed: self.seed,
            epochs_trained: self.epochs_before + fit.epochs.len() as u64,
            history: &history,
        };
        snapshot.write(&self.path)
    }
}
