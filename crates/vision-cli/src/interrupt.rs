//! Ctrl-C: outside a resumable fit it ends the program with its own exit code. Inside, the fit saves its step first.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};
use std::thread;
use std::time::Duration;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

use crate::failure::{self, exit_code};

/// How often a flag is looked at that a signal sets: a handler may do no more than that.
const LOOK: Duration = Duration::from_millis(30);

static OUTSIDE: LazyLock<Arc<AtomicBool>> = LazyLock::new(|| Arc::new(AtomicBool::new(true)));

/// Called once, before anything else.
pub(crate) fn register() {
    for signal in [SIGINT, SIGTERM] {
        let code = i32::from(exit_code::INTERRUPTED);
        // A system that refuses handlers ends the process as ever.
        let _ = flag::register_conditional_shutdown(signal, code, Arc::clone(&OUTSIDE));
    }
}

/// Leaves signals to the fit that `work` does.
pub(crate) fn during_fit<T>(work: impl FnOnce() -> T) -> T {
    OUTSIDE.store(false, Ordering::SeqCst);
    let result = work();
    OUTSIDE.store(true, Ordering::SeqCst);
    result
}

/// Starts something that ends with a signal, and says so. The first signal returns it; the next one ends the program at once.
pub(crate) fn until_signal<T, E>(
    start: impl FnOnce() -> Result<T, E>,
    started: impl FnOnce(&T) -> failure::Result<()>,
) -> failure::Result<T>
where
    failure::Failure: From<E>,
{
    let told = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        flag::register(signal, Arc::clone(&told))?;
    }
    OUTSIDE.store(false, Ordering::SeqCst);
    let running = start().map_err(failure::Failure::from).and_then(|running| {
        started(&running)?;
        while !told.load(Ordering::SeqCst) {
            thread::sleep(LOOK);
        }
        Ok(running)
    });
    OUTSIDE.store(true, Ordering::SeqCst);
    running
}
