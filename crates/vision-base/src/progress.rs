//! Progress reports of long work. The default is silent.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// Shortest time between two reports.
const PAUSE: Duration = Duration::from_millis(100);
/// Resolution of a progress bar, in steps.
const STEPS: u64 = 1000;

/// A progress reporter. The default is silent.
///
/// ```
/// use vision_base::progress::Progress;
/// use vision_base::workers;
///
/// let bar = Progress::bar("Squaring");
/// let squares = workers::map(1000, 2, &bar, |i| i * i);
///
/// let own = Progress::new(|report| eprintln!("{} items, {:?} left", report.done, report.left()));
/// assert_eq!(workers::map(1000, 2, &own, |i| i * i), squares);
/// ```
#[derive(Clone, Default)]
pub struct Progress(Option<Arc<Tell>>);

type Tell = dyn Fn(&Report) + Send + Sync;

/// A progress report.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Report {
    /// Number of finished items (files, URLs).
    pub done: usize,
    /// The finished share of the work, from 0 to 1. An estimate where the total is not known in
    /// advance, as while a folder is read.
    pub fraction: f64,
    /// Time since the start.
    pub elapsed: Duration,
}

impl Report {
    /// The remaining time at the present speed. `None` before the first item is finished.
    pub fn left(&self) -> Option<Duration> {
        let seconds = self.elapsed.as_secs_f64() * (1.0 - self.fraction) / self.fraction;
        Duration::try_from_secs_f64(seconds).ok()
    }
}

impl Progress {
    /// Reports nothing.
    pub fn silent() -> Self {
        Self::default()
    }

    /// Calls `tell` at most ten times a second, and once at the end. The call can come from any
    /// thread.
    pub fn new(tell: impl Fn(&Report) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(tell)))
    }

    /// Draws a bar with the remaining time on stderr, if stderr is a terminal.
    pub fn bar(title: impl Into<String>) -> Self {
        let bar = ProgressBar::new(STEPS).with_prefix(title.into());
        if let Ok(style) = ProgressStyle::with_template("{prefix} [{bar:30}] {msg}") {
            bar.set_style(style);
        }
        Self::new(move |report| {
            // Restart a bar that an earlier piece of work has finished.
            if bar.is_finished() {
                bar.reset();
            }
            let left = report.left().unwrap_or_default().as_secs();
            bar.set_message(format!("{}, {left} s left", report.done));
            bar.set_position((report.fraction * STEPS as f64) as u64);
            if report.fraction >= 1.0 {
                bar.finish_and_clear();
            }
        })
    }
}

impl fmt::Debug for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Some(_) => "Progress(told)",
            None => "Progress(silent)",
        })
    }
}

/// Counts finished items and reports them at intervals.
#[derive(Debug)]
pub struct Tracker<'a> {
    progress: &'a Progress,
    start: Instant,
    done: AtomicUsize,
    /// Time of the last report, in milliseconds after the start.
    last: AtomicU64,
}

impl<'a> Tracker<'a> {
    /// Starts the clock.
    pub fn new(progress: &'a Progress) -> Self {
        Self {
            progress,
            start: Instant::now(),
            done: AtomicUsize::new(0),
            last: AtomicU64::new(0),
        }
    }

    /// Counts `more` finished items. `fraction` gets the total number so far and returns the
    /// finished share.
    pub fn add(&self, more: usize, fraction: impl Fn(usize) -> f64) {
        let done = self.done.fetch_add(more, Ordering::Relaxed) + more;
        if self.progress.0.is_none() {
            return;
        }
        let now = self.start.elapsed().as_millis() as u64;
        let last = self.last.load(Ordering::Relaxed);
        let due = now >= last + PAUSE.as_millis() as u64;
        // If several threads find a report due, only one makes it.
        if due
            && self
                .last
                .compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
        {
            // Only `finish` reports the end.
            self.report(done, fraction(done).min(0.999));
        }
    }

    /// Reports the end.
    pub fn finish(&self) {
        self.report(self.done.load(Ordering::Relaxed), 1.0);
    }

    fn report(&self, done: usize, fraction: f64) {
        if let Some(tell) = &self.progress.0 {
            tell(&Report {
                done,
                fraction,
                elapsed: self.start.elapsed(),
            });
        }
    }
}
