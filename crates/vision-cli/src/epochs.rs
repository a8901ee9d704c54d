//! Epochs for people while programs read standard output.

use vision::learner::{Callback, Context, Result};

use crate::output::note;

/// The epochs on standard error, when standard output is for programs. It is always there, since a run goes on with the
/// same callbacks only.
#[derive(Debug)]
pub(crate) struct EpochsOnStderr {
    pub(crate) on: bool,
}

impl Callback for EpochsOnStderr {
    // After the metrics.
    fn order(&self) -> i32 {
        50
    }

    fn in_lr_find(&self) -> bool {
        false
    }

    fn on_epoch_end(&mut self, ctx: &mut Context<'_>) -> Result<()> {
        let Some(row) = ctx.recorder().epochs.last().filter(|_| self.on) else {
            return Ok(());
        };
        let mut line = format!("epoch {}: train_loss {:.6}", row.epoch, row.train_loss);
        if let Some(loss) = row.valid_loss {
            line.push_str(&format!(", valid_loss {loss:.6}"));
            for (name, value) in ctx.recorder().metric_names.iter().zip(&row.metrics) {
                line.push_str(&format!(", {name} {value:.6}"));
            }
        }
        note(line);
        Ok(())
    }
}
