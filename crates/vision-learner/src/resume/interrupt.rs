//! Requests to stop: Ctrl-C, and the signal with which systems end a process.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Once};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

static REQUESTED: LazyLock<Arc<AtomicBool>> = LazyLock::new(Arc::default);
/// Whether no resumable fit is running: a signal then ends the process as usual.
static IDLE: LazyLock<Arc<AtomicBool>> = LazyLock::new(Arc::default);
static RUNNING: AtomicUsize = AtomicUsize::new(0);
static REGISTER: Once = Once::new();

/// While it lives, the first Ctrl-C is a request to stop; the second one ends the process at once.
#[derive(Debug)]
pub(crate) struct Interrupt(());

impl Interrupt {
    pub(crate) fn new() -> Self {
        REGISTER.call_once(|| {
            // Without handlers (the system refuses them) signals end the process as ever.
            let _ = [SIGINT, SIGTERM].map(register);
        });
        if RUNNING.fetch_add(1, Ordering::SeqCst) == 0 {
            REQUESTED.store(false, Ordering::SeqCst);
        }
        IDLE.store(false, Ordering::SeqCst);
        Self(())
    }

    #[expect(
        clippy::unused_self,
        reason = "only while one lives are signals requests"
    )]
    pub(crate) fn is_requested(&self) -> bool {
        REQUESTED.load(Ordering::SeqCst)
    }

    /// As if this process were asked to stop: another one of its run is.
    #[expect(
        clippy::unused_self,
        reason = "only while one lives are signals requests"
    )]
    pub(crate) fn request(&self) {
        REQUESTED.store(true, Ordering::SeqCst);
    }
}

impl Drop for Interrupt {
    fn drop(&mut self) {
        if RUNNING.fetch_sub(1, Ordering::SeqCst) == 1 {
            IDLE.store(true, Ordering::SeqCst);
        }
    }
}

/// The actions of a signal, in the order in which they run.
fn register(signal: i32) -> io::Result<()> {
    end_if(signal, &IDLE)?;
    end_if(signal, &REQUESTED)?;
    flag::register(signal, Arc::clone(&REQUESTED)).map(|_| ())
}

#[cfg(unix)]
fn end_if(signal: i32, condition: &Arc<AtomicBool>) -> io::Result<()> {
    flag::register_conditional_default(signal, Arc::clone(condition)).map(|_| ())
}

#[cfg(not(unix))]
fn end_if(signal: i32, condition: &Arc<AtomicBool>) -> io::Result<()> {
    // The exit status that shells give to a process ended by Ctrl-C.
    flag::register_conditional_shutdown(signal, 130, Arc::clone(condition)).map(|_| ())
}
