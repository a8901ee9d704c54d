//! How concurrent predictions share the cores.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, LazyLock, Mutex, PoisonError};

use rayon::{ThreadPool, ThreadPoolBuilder};

/// Number of predictions that are being computed in this process.
static ACTIVE: AtomicUsize = AtomicUsize::new(0);
static CORES: LazyLock<Cores> = LazyLock::new(Cores::new);

/// Runs `work` on all cores if nothing else is predicted, and on one core otherwise: several images take
/// less time on one core each than one after the other on all cores. The results are the same.
pub(super) fn share<R: Send>(work: impl FnOnce() -> R + Send) -> R {
    let active = Active::new();
    // A pool's thread takes on other work while it waits: it could wait here for a core that it holds
    // itself, further down its stack.
    if rayon::current_thread_index().is_some() {
        return work();
    }
    if active.alone {
        // On one of the pool's threads: for each layer, a thread from outside would wake one, and wait.
        return rayon::scope(|_| work());
    }
    match CORES.take() {
        Some(core) => core.pool.install(work),
        None => work(),
    }
}

/// Runs work that predicts several images at the same time: each of them takes one core.
pub(super) fn together<R>(work: impl FnOnce() -> R) -> R {
    let _active = Active::new();
    work()
}

/// Counts a prediction while it lives.
struct Active {
    alone: bool,
}

impl Active {
    fn new() -> Self {
        let others = ACTIVE.fetch_add(1, Ordering::Relaxed);
        Self { alone: others == 0 }
    }
}

impl Drop for Active {
    fn drop(&mut self) {
        ACTIVE.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A pool of one thread for each core.
struct Cores {
    idle: Mutex<Vec<Arc<ThreadPool>>>,
    returned: Condvar,
    count: usize,
}

impl Cores {
    fn new() -> Self {
        let pools = (0..rayon::current_num_threads()).map_while(|_| {
            let pool = ThreadPoolBuilder::new().num_threads(1);
            // No thread can be started: predictions then share the global pool.
            pool.build().ok().map(Arc::new)
        });
        let pools: Vec<_> = pools.collect();
        Self {
            count: pools.len(),
            idle: Mutex::new(pools),
            returned: Condvar::new(),
        }
    }

    /// Waits for an idle core; `None` if there are none at all.
    fn take(&self) -> Option<Core<'_>> {
        if self.count == 0 {
            return None;
        }
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let mut idle = self
            .returned
            .wait_while(idle, |idle| idle.is_empty())
            .unwrap_or_else(PoisonError::into_inner);
        idle.pop().map(|pool| Core { pool, of: self })
    }
}

/// A core in use, returned when dropped.
struct Core<'a> {
    pool: Arc<ThreadPool>,
    of: &'a Cores,
}

impl Drop for Core<'_> {
    fn drop(&mut self) {
        let mut idle = self.of.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.push(Arc::clone(&self.pool));
        self.of.returned.notify_one();
    }
}
