//! Ends a fit whose loss is not finite, without an error.

use vision_base::console;

use crate::{Callback, Context, Result};

/// Ends the fit without an error when the loss or a gradient is NaN or infinite.
///
/// The bad step is not taken: the learner has the weights and statistics before it. Without this callback such a step is
/// [`Error::NotFinite`](crate::Error::NotFinite) or [`Error::GradientNotFinite`](crate::Error::GradientNotFinite), which
/// says more; with it, what comes after the fit still runs.
#[doc(alias("TerminateOnNaN", "TerminateOnNaNCallback"))]
#[derive(Clone, Copy, Debug, Default)]
pub struct TerminateOnNan;

impl Callback for TerminateOnNan {
    fn in_lr_find(&self) -> bool {
        false
    }

    fn on_train_begin(&mut self, ctx: &mut Context<'_>) -> Result<()> {
        ctx.state.stop_if_not_finite = true;
        Ok(())
    }

    fn on_train_end(&mut self, ctx: &mut Context<'_>) -> Result<()> {
        if ctx.state.not_finite && !ctx.silent() {
            let (epoch, batch) = (ctx.state.epoch, ctx.state.num_batch);
            console::line(format_args!(
                "Epoch/Batch ({epoch}/{batch}): Invalid loss, terminating training."
            ));
        }
        Ok(())
    }
}
