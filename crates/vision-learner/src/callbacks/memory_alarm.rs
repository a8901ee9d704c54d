//! Watches the memory of the process.

use std::fs;

use vision_base::{OptionError, console};

use crate::{Callback, Context, Error, Result};

/// Watches the memory of the process at the end of each epoch: warns when it keeps growing, and ends the fit before it
/// takes more than is allowed.
///
/// It knows the memory on Linux; elsewhere it says at the beginning of the fit that it does not.
///
/// ```
/// use vision_learner::FitConfig;
/// use vision_learner::callbacks::MemoryAlarm;
/// let alarm = MemoryAlarm::new().with_limit(8 << 30);
/// let config = FitConfig::one_cycle(5).with_callback(alarm);
/// ```
#[doc(alias("PeakMemMetric", "memory"))]
#[derive(Clone, Debug)]
pub struct MemoryAlarm {
    limit: Option<u64>,
    growth: u64,
    /// At the ends of the last epochs.
    seen: Vec<u64>,
    warned: bool,
}

/// The number of epochs in a row in which the memory must grow for a warning. The first epochs fill caches.
const EPOCHS: usize = 3;

impl MemoryAlarm {
    /// Without a limit.
    pub fn new() -> Self {
        Self {
            limit: None,
            growth: 16 << 20,
            seen: Vec::new(),
            warned: false,
        }
    }

    /// Sets the memory in bytes above which the fit ends with an error. Default: no limit.
    pub fn with_limit(mut self, bytes: u64) -> Self {
        self.limit = Some(bytes);
        self
    }

    /// Sets by how many bytes the memory must grow in each of three epochs in a row for a warning. Default: 16 MiB.
    pub fn with_growth(mut self, bytes: u64) -> Self {
        self.growth = bytes;
        self
    }

    /// Takes in the memory of an epoch. Returns what it was three epochs ago, if it has grown ever since.
    fn add(&mut self, bytes: u64) -> Option<u64> {
        self.seen.push(bytes);
        let last = self.seen.len().checked_sub(EPOCHS + 1)?;
        let last = &self.seen[last..];
        let grows = last
            .windows(2)
            .all(|pair| pair[1] > pair[0].saturating_add(self.growth));
        grows.then(|| last[0])
    }
}

impl Default for MemoryAlarm {
    fn default() -> Self {
        Self::new()
    }
}

/// The resident memory of this process in bytes, where the system tells it.
fn resident_bytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(kib << 10)
}

impl Callback for MemoryAlarm {
    fn settings(&self) -> String {
        format!("limit {:?}, growth {}", self.limit, self.growth)
    }

    fn on_train_begin(&mut self, ctx: &mut Context<'_>) -> Result<()> {
        if self.limit == Some(0) {
            return Err(OptionError::new("limit", "a number of bytes above 0", 0).into());
        }
        self.seen.clear();
        self.warned = false;
        if resident_bytes().is_none() && !ctx.silent() {
            console::warn(
                "MemoryAlarm: this system does not tell the memory of a process, so there is no alarm",
            );
        }
        Ok(())
    }

    fn on_epoch_end(&mut self, ctx: &mut Context<'_>) -> Result<()> {
        let Some(bytes) = resident_bytes() else {
            return Ok(());
        };
        let mib = |bytes: u64| bytes >> 20;
        if let Some(limit) = self.limit.filter(|limit| bytes > *limit) {
            let reason = format!(
                "the process takes {} MiB, more than the limit of {} MiB: give the data a smaller batch_size, size or \
                 cache, or raise the limit",
                mib(bytes),
                mib(limit)
            );
            return Err(Error::Callback {
                name: self.name(),
                source: reason.into(),
            });
        }
        if let Some(before) = self.add(bytes)
            && !self.warned
            && !ctx.silent()
        {
            self.warned = true;
            console::warn(format_args!(
                "the memory of the process has grown in each of the last {EPOCHS} epochs, from {} to {} MiB",
                mib(before),
                mib(bytes)
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_growth_in_each_of_three_epochs_raises_the_alarm() {
        let mut alarm = MemoryAlarm::new().with_growth(10);
        let sizes = [100, 120, 125, 140, 160, 180, 181];
        let found = sizes.map(|bytes| alarm.add(bytes));
        assert_eq!(found, [None, None, None, None, None, Some(125), None]);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn the_memory_of_the_process_is_known_and_plausible() {
        let bytes = resident_bytes();
        assert!(
            bytes.is_some_and(|bytes| bytes > 1 << 20 && bytes < 1 << 40),
            "{bytes:?}"
        );
    }
}
