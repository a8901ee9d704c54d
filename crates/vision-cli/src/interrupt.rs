//! Ctrl-C: outside a resumable fit it ends the program with its own exit code. Inside, the fit saves its step first.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

use crate::failure::exit_code;

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
