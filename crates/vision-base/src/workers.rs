//! Parallel work on many items, with results that do not depend on the number of threads.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::progress::{Progress, Tracker};

/// The number of available cores.
pub fn cores() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// Calls `step` for each of `0..items` with the state of the thread that runs it. Returns the
/// states. The distribution of items over states is not deterministic.
pub fn fold<S: Send>(
    items: usize,
    threads: usize,
    progress: &Progress,
    start: impl Fn() -> S + Sync,
    step: impl Fn(&mut S, usize) + Sync,
) -> Vec<S> {
    let next = AtomicUsize::new(0);
    let tracker = Tracker::new(progress);
    let work = || {
        let mut state = start();
        loop {
            let item = next.fetch_add(1, Ordering::Relaxed);
            if item >= items {
                return state;
            }
            step(&mut state, item);
            tracker.add(1, |done| done as f64 / items as f64);
        }
    };
    let states = thread::scope(|scope| {
        let others: Vec<_> = (1..threads.min(items)).map(|_| scope.spawn(work)).collect();
        let mut states = vec![work()];
        for other in others {
            match other.join() {
                Ok(state) => states.push(state),
                // A panic is a bug of ours: pass it on instead of returning a partial result.
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        states
    });
    tracker.finish();
    states
}

/// Returns `work(i)` for each `i` of `0..items`, in order.
pub fn map<T: Send>(
    items: usize,
    threads: usize,
    progress: &Progress,
    work: impl Fn(usize) -> T + Sync,
) -> Vec<T> {
    let states = fold(items, threads, progress, Vec::new, |done, item| {
        done.push((item, work(item)));
    });
    let mut all: Vec<(usize, T)> = states.into_iter().flatten().collect();
    all.sort_unstable_by_key(|(item, _)| *item);
    all.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_in_order_whatever_the_number_of_threads() {
        for threads in [0, 1, 2, 7, 100] {
            let squares = map(50, threads, &Progress::silent(), |i| i * i);
            assert_eq!(squares, (0..50).map(|i| i * i).collect::<Vec<_>>());
        }
        assert!(map(0, 4, &Progress::silent(), |i| i).is_empty());
    }

    #[test]
    fn the_last_report_says_that_all_is_done() {
        let reports = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
        let told = std::sync::Arc::clone(&reports);
        let progress = Progress::new(move |report| {
            if let Ok(mut reports) = told.lock() {
                reports.push(*report);
            }
        });
        map(30, 3, &progress, |_| {
            thread::sleep(std::time::Duration::from_millis(20));
        });
        let reports = reports.lock().map(|r| r.clone()).unwrap_or_default();
        let last = reports.last().copied();
        assert_eq!(last.map(|r| (r.done, r.fraction)), Some((30, 1.0)));
        assert!(reports.len() >= 2 && reports.iter().rev().skip(1).all(|r| r.fraction < 1.0));
    }
}
