//! Applies a schedule.

use crate::Result;
use crate::optim::schedule::{GroupPhases, Phase, at_step};
use crate::train::callback::Callback;
use crate::train::context::Context;

/// Sets the hyper-parameters before each training batch, from phases that span the whole fit.
#[derive(Debug)]
pub(crate) struct Scheduler {
    /// One per layer group.
    pub(crate) groups: Vec<GroupPhases>,
    /// Steps already taken by an earlier run.
    pub(crate) first_step: usize,
}

impl Scheduler {
    /// Values at `step`, or the end of the last phase beyond it.
    fn set(&self, step: usize, ctx: &mut Context<'_>) {
        for (group, phases) in ctx.optimizer.groups_mut().iter_mut().zip(&self.groups) {
            let set = |value: &mut f64, phases: &[Phase]| {
                let end = || phases.last().map(Phase::last);
                *value = at_step(phases, step).or_else(end).unwrap_or(*value);
            };
            set(&mut group.lr, &phases.lr);
            set(&mut group.mom, &phases.mom);
            set(&mut group.wd, &phases.wd);
        }
    }
}

impl Callback for Scheduler {
    fn settings(&self) -> String {
        format!("{self:?}")
    }

    fn on_train_begin(&mut self, ctx: &mut Context<'_>) -> Result<()> {
        self.set(self.first_step, ctx);
        Ok(())
    }

    fn on_batch_end(&mut self, ctx: &mut Context<'_>) -> Result<()> {
        if ctx.state.train {
            // The counter advances after this event, so the next batch is iteration + 1.
            let next = self.first_step.saturating_add(ctx.state.iteration + 1);
            self.set(next, ctx);
        }
        Ok(())
    }
}
