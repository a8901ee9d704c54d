//! Saves the steps of a resumable fit, and reads them back.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::checkpoint::snapshot::{Extra, Snapshot};
use crate::optim::Hyper;
use crate::resume::folder::step_files;
use crate::resume::interrupt::Interrupt;
use crate::resume::journal::Journal;
use crate::resume::position::Position;
use crate::resume::resumable::{Interval, Resumable};
use crate::resume::states::States;
use crate::resume::step::{KEY, Step, damaged};
use crate::train::context::Context;
use crate::train::recorder::Recorder;
use crate::{Error, Result};

/// A save may take one part of this many of the time.
const SHARE: u32 = 100;
/// The shortest time between two saves, unless the user says otherwise.
const SHORTEST: Duration = Duration::from_secs(20);

/// Where a fit goes on.
pub(crate) struct Resumed {
    pub(crate) position: Position,
    pub(crate) hyper: Vec<Hyper>,
    pub(crate) callbacks: States,
}

/// Saves the steps of a resumable fit.
#[derive(Debug)]
pub(crate) struct Keeper {
    run: PathBuf,
    fit: PathBuf,
    interval: Interval,
    interrupt: Interrupt,
    journal: Journal,
    /// Saves so far.
    number: u64,
    steps: usize,
    last: Instant,
    /// How long the last save took.
    took: Duration,
    /// The folder in which this process has read a copy of the run, if another one saves it.
    copy: Option<TempDir>,
}

impl Keeper {
    /// For a fit of which so many steps have been saved.
    pub(super) fn new(
        run: PathBuf,
        fit: PathBuf,
        config: &Resumable,
        journal: Journal,
        number: u64,
        copy: Option<TempDir>,
    ) -> Self {
        Self {
            run,
            fit,
            interval: config.interval,
            interrupt: Interrupt::new(),
            journal,
            number,
            steps: 0,
            last: Instant::now(),
            took: Duration::ZERO,
            copy,
        }
    }

    /// Whether the process is asked to end.
    pub(crate) fn is_interrupted(&self) -> bool {
        self.interrupt.is_requested()
    }

    /// Counts a step, and says whether it is time to save one.
    pub(crate) fn is_due(&mut self) -> bool {
        self.steps = self.steps.saturating_add(1);
        match self.interval {
            Interval::Automatic => self.last.elapsed() >= SHORTEST.max(self.took * SHARE),
            Interval::Time(time) => self.last.elapsed() >= time,
            Interval::Steps(steps) => self.steps >= steps,
        }
    }

    /// Whether a step is to be saved: if it is due, or the process is asked to end. Of several processes the first decides
    /// what is due, and a request to one of them ends all.
    pub(crate) fn agree(&mut self, ctx: &Context<'_>, due: bool) -> Result<bool> {
        let Some(ranks) = ctx.fit.ranks else {
            return Ok(due || self.is_interrupted());
        };
        let own = [due && ranks.is_main(), self.is_interrupted()];
        let [due, interrupted] = ranks.any(own)?;
        if interrupted {
            self.interrupt.request();
        }
        Ok(due || interrupted)
    }

    /// Saves a step.
    ///
    /// # Errors
    ///
    /// If it cannot be written; and [`Error::Interrupted`] if the process is asked to end, after it is written.
    pub(crate) fn save(&mut self, ctx: &Context<'_>, at: Position, states: &States) -> Result<()> {
        let hyper = ctx.optimizer.groups().to_vec();
        let snapshot = ctx.snapshot(None);
        self.write(&snapshot, &ctx.recorder, at, hyper, states, false)?;
        match self.is_interrupted() {
            true => Err(Error::Interrupted {
                folder: self.run.clone(),
                epoch: at.epoch,
                batches: at.num_batch,
            }),
            false => Ok(()),
        }
    }

    /// The folder of the run.
    pub(crate) fn run(&self) -> &Path {
        &self.run
    }

    /// Saves the end of a fit, and clears the step before it away.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    pub(crate) fn finish(
        &mut self,
        snapshot: &Snapshot<'_>,
        recorder: &Recorder,
        epochs: usize,
    ) -> Result<()> {
        let hyper = snapshot.optimizer.map(|o| o.groups().to_vec());
        let (at, hyper) = (Position::start(epochs), hyper.unwrap_or_default());
        self.write(snapshot, recorder, at, hyper, &States::default(), true)?;
        if self.copy.is_some() {
            return Ok(());
        }
        let before = &step_files(&self.fit)[place(self.number.saturating_add(1))];
        // It is only in the way.
        let _ = fs::remove_file(before);
        Ok(())
    }

    fn write(
        &mut self,
        snapshot: &Snapshot<'_>,
        recorder: &Recorder,
        position: Position,
        hyper: Vec<Hyper>,
        states: &States,
        finished: bool,
    ) -> Result<()> {
        if self.copy.is_some() {
            self.steps = 0;
            return Ok(());
        }
        let begin = Instant::now();
        let journal = self.journal.append(recorder)?;
        let step = Step {
            number: self.number.saturating_add(1),
            finished,
            position,
            hyper,
            callbacks: states.stored(),
            journal,
        };
        let path = &step_files(&self.fit)[place(step.number)];
        let json = serde_json::to_string(&step).map_err(|error| damaged(path, error))?;
        let extra = Extra {
            tensors: states.tensors(),
            metadata: BTreeMap::from([(KEY.to_owned(), json)]),
            without_copy: true,
        };
        snapshot.write(path, extra)?;
        self.number = self.number.saturating_add(1);
        self.steps = 0;
        self.last = Instant::now();
        self.took = begin.elapsed();
        Ok(())
    }
}

/// Which of the two files holds a step.
fn place(number: u64) -> usize {
    usize::from(number.is_multiple_of(2))
}
