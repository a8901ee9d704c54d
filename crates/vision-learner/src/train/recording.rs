//! Fills the recorder during a fit.

use std::time::Instant;

use crate::Result;
use crate::train::callback::{Callback, CallbackState};
use crate::train::context::Context;
use crate::train::recorder::EpochRow;

/// Fills the recorder of the context.
#[derive(Debug)]
pub(crate) struct Recording {
    begin: Instant,
    trained: Option<Instant>,
    images: usize,
}

impl Recording {
    pub(crate) fn new() -> Self {
        Self {
            begin: Instant::now(),
            trained: None,
            images: 0,
        }
    }
}

impl Callback for Recording {
    fn order(&self) -> i32 {
        -10
    }

    fn state(&self) -> Result<CallbackState> {
        CallbackState::of("Recording", &self.images)
    }

    fn restore(&mut self, state: CallbackState, _ctx: &mut Context<'_>) -> Result<()> {
        self.images = state.read("Recording")?;
        Ok(())
    }

    fn on_epoch_begin(&mut self, _ctx: &mut Context<'_>) -> Result<()> {
        (self.begin, self.trained, self.images) = (Instant::now(), None, 0);
        Ok(())
    }

    fn on_batch_begin(&mut self, ctx: &mut Context<'_>) -> Result<()> {
        if ctx.state.train {
            let groups = ctx.optimizer.groups();
            let recorder = &mut ctx.recorder;
            recorder
                .group_lrs
                .push(groups.iter().map(|g| g.lr).collect());
            recorder.lrs.push(ctx.optimizer.lr());
            recorder.moms.push(ctx.optimizer.mom());
            self.images = self.images.saturating_add(ctx.state.items);
        } else if self.trained.is_none() {
            self.trained = Some(Instant::now());
        }
        Ok(())
    }

    fn on_backward_end(&mut self, ctx: &mut Context<'_>) -> Result<()> {
        ctx.recorder.losses.push(ctx.state.smooth_loss);
        ctx.recorder.raw_losses.push(ctx.state.last_loss);
        Ok(())
    }

    fn on_epoch_end(&mut self, ctx: &mut Context<'_>) -> Result<()> {
        let trained = self.trained.unwrap_or_else(Instant::now);
        let names = ctx.recorder.metric_names.iter().enumerate();
        // A column whose callback gave no value in this epoch has none.
        let value = |(i, name): (usize, &String)| ctx.column(i, name).unwrap_or(f64::NAN);
        let metrics = match ctx.state.valid_loss {
            Some(_) => names.map(value).collect(),
            None => Vec::new(),
        };
        ctx.recorder.epochs.push(EpochRow {
            epoch: ctx.state.epoch,
            train_loss: ctx.state.smooth_loss,
            valid_loss: ctx.state.valid_loss,
            metrics,
            seconds: self.begin.elapsed().as_secs_f64(),
            train_seconds: (trained - self.begin).as_secs_f64(),
            wait_seconds: ctx.state.waited.as_secs_f64(),
            images: self.images,
        });
        Ok(())
    }
}
