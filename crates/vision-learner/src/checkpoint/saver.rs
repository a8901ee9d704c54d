//! Saving checkpoints during a fit.

use std::path::PathBuf;

use crate::Result;
use crate::train::callback::Callback;
use crate::train::context::Context;

/// Saves a checkpoint after each epoch.
#[derive(Debug)]
pub(crate) struct Saver {
    pub(crate) path: PathBuf,
}

impl Callback for Saver {
    fn order(&self) -> i32 {
        // After all callbacks that may change the model.
        i32::MAX
    }

    fn on_epoch_end(&mut self, ctx: &mut Context<'_>) -> Result<()> {
        ctx.save(&self.path).map(|_| ())
    }
}
