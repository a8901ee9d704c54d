//! Where and how often a resumable fit is saved.

use std::path::{Path, PathBuf};
use std::time::Duration;

use vision_base::OptionError;

use crate::Result;

/// Where and how often a resumable fit saves its steps: [`FitConfig::resumable`](crate::FitConfig::resumable).
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub struct Resumable {
    pub(crate) folder: PathBuf,
    pub(crate) interval: Interval,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Interval {
    Automatic,
    Time(Duration),
    Steps(usize),
}

impl Resumable {
    /// In a folder of the learner's [`path`](crate::LearnerBuilder::path); an absolute one is used as given. A step is
    /// saved every 20 seconds, or as rarely as is needed for saving to take at most a hundredth of the time.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            interval: Interval::Automatic,
        }
    }

    /// Saves a step each time so much time has passed.
    pub fn every(mut self, time: Duration) -> Self {
        self.interval = Interval::Time(time);
        self
    }

    /// Saves every so many steps.
    pub fn every_steps(mut self, steps: usize) -> Self {
        self.interval = Interval::Steps(steps);
        self
    }

    pub(crate) fn check(&self) -> Result<()> {
        if self.interval == Interval::Steps(0) {
            return Err(OptionError::new("every_steps", "at least 1 step", 0).into());
        }
        if self.folder.as_os_str().is_empty() {
            let expected = "the name of a folder, such as \"run\"";
            return Err(OptionError::new("resumable", expected, "an empty name").into());
        }
        Ok(())
    }
}

impl From<&str> for Resumable {
    fn from(folder: &str) -> Self {
        Self::new(folder)
    }
}

impl From<String> for Resumable {
    fn from(folder: String) -> Self {
        Self::new(folder)
    }
}

impl From<&Path> for Resumable {
    fn from(folder: &Path) -> Self {
        Self::new(folder)
    }
}

impl From<PathBuf> for Resumable {
    fn from(folder: PathBuf) -> Self {
        Self::new(folder)
    }
}
