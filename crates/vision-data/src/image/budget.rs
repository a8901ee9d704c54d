//! The memory that all decoders of the process take together.
//!
//! A decoder takes a [`Permit`] for the bytes that the header of its image announces, and waits while others
//! hold too many. An image that needs more than there is in all is decoded alone. The permit is held as long
//! as the pixels are in use.
//!
//! Nobody waits for a thread that waits itself: a thread that holds a permit takes more without waiting. The
//! one exception is a thread that has read a large file and now knows what decoding it takes. Only one thread
//! at a time may be there ([`Budget::large_file`]); it passes all others that wait, so it only waits for threads that
//! do not.

use std::cell::{Cell, RefCell};
use std::marker::PhantomData;
use std::ops::Deref;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Files up to this size are read without a permit: there are few of them, one per thread.
const SMALL_FILE: u64 = 4 << 20;

/// The one budget of the process.
static BUDGET: Budget = Budget::new();

thread_local! {
    /// The bytes of this thread's permits.
    static OWN: Cell<u64> = const { Cell::new(0) };
    static GATE: RefCell<Option<MutexGuard<'static, ()>>> = const { RefCell::new(None) };
}

#[derive(Debug)]
struct Budget {
    state: Mutex<State>,
    changed: Condvar,
    /// Held from before a large file is read until the permit to decode it is there.
    large_file: Mutex<()>,
}

#[derive(Debug)]
struct State {
    /// Bytes of all permits.
    taken: u64,
    /// Threads are served in the order in which they came, so that a large image is not kept waiting by
    /// small ones.
    tickets: u64,
    served: u64,
    /// Whether the thread with a large file waits.
    passing: bool,
}

impl Budget {
    const fn new() -> Self {
        Self {
            state: Mutex::new(State {
                taken: 0,
                tickets: 0,
                served: 0,
                passing: false,
            }),
            changed: Condvar::new(),
            large_file: Mutex::new(()),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing that holds the lock can panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&'static self, bytes: u64, limit: u64) -> Permit {
        let gate = GATE.take();
        self.permit(bytes, limit, gate.is_some(), false)
    }

    fn to_read(&'static self, bytes: u64, limit: u64) -> Option<Permit> {
        if bytes <= SMALL_FILE {
            return None;
        }
        let first = OWN.get() == 0;
        let gate = first.then(|| {
            self.large_file
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
        });
        let permit = self.permit(bytes, limit, first, true);
        GATE.set(gate);
        Some(permit)
    }

    fn permit(&'static self, bytes: u64, limit: u64, passes: bool, file: bool) -> Permit {
        let own = OWN.get();
        let mut state = self.state();
        let fits = |state: &State| state.taken == own || state.taken.saturating_add(bytes) <= limit;
        if passes {
            state.passing = true;
            state = self
                .changed
                .wait_while(state, |state| !fits(state))
                .unwrap_or_else(PoisonError::into_inner);
            state.passing = false;
        } else if own == 0 {
            let ticket = state.tickets;
            state.tickets += 1;
            state = self
                .changed
                .wait_while(state, |state| {
                    state.passing || state.served != ticket || !fits(state)
                })
                .unwrap_or_else(PoisonError::into_inner);
            state.served += 1;
        }
        state.taken = state.taken.saturating_add(bytes);
        // The next one may fit as well.
        if state.served != state.tickets {
            self.changed.notify_all();
        }
        OWN.set(own.saturating_add(bytes));
        Permit {
            budget: self,
            bytes,
            file,
            thread: PhantomData,
        }
    }
}

/// Some of the memory, until it is dropped. It stays in its thread.
#[derive(Debug)]
pub(crate) struct Permit {
    budget: &'static Budget,
    bytes: u64,
    file: bool,
    thread: PhantomData<*const ()>,
}

impl Permit {
    /// Waits until decoders may take this many bytes more, which makes no more than `limit` in all.
    pub(crate) fn take(bytes: u64, limit: u64) -> Self {
        BUDGET.take(bytes, limit)
    }

    /// A permit to read a file, if it is large. Keep it until the file is decoded.
    pub(crate) fn to_read(bytes: u64, limit: u64) -> Option<Self> {
        BUDGET.to_read(bytes, limit)
    }

    /// Gives back all but this many bytes.
    pub(crate) fn shrink(&mut self, bytes: u64) {
        let freed = self.bytes.saturating_sub(bytes);
        if freed == 0 {
            return;
        }
        self.bytes -= freed;
        OWN.set(OWN.get() - freed);
        let mut state = self.budget.state();
        state.taken -= freed;
        if state.passing || state.served != state.tickets {
            self.budget.changed.notify_all();
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if self.file {
            drop(GATE.take());
        }
        self.shrink(0);
    }
}

/// What takes memory, with the permits for it.
#[derive(Debug)]
pub(crate) struct Held<T> {
    pub(crate) value: T,
    pub(crate) permit: Option<Permit>,
}

impl<T> Held<T> {
    pub(crate) fn new(value: T, permit: impl Into<Option<Permit>>) -> Self {
        Self {
            value,
            permit: permit.into(),
        }
    }

    pub(crate) fn map<U>(self, change: impl FnOnce(T) -> U) -> Held<U> {
        Held {
            value: change(self.value),
            permit: self.permit,
        }
    }
}

impl<T> Deref for Held<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::atomic::{AtomicU64, Ordering};
    use std::thread;

    use super::*;

    /// Other tests of this process decode images with the budget that all share.
    static BUDGET: Budget = Budget::new();

    #[test]
    fn permits_keep_the_limit_serve_everyone_and_never_block_for_ever() {
        const LIMIT: u64 = 100 << 20;
        let (most, now, alone) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
        thread::scope(|scope| {
            for worker in 0..16u64 {
                let (most, now, alone) = (&most, &now, &alone);
                scope.spawn(move || {
                    for round in 0..200u64 {
                        let bytes = (1 + (worker * 7 + round * 13) % 60) << 20;
                        // One in fifty is larger than the limit, one in five comes from a large file.
                        let bytes = if round % 50 == 7 { 2 * LIMIT } else { bytes };
                        let file = (round % 5 == 0).then(|| BUDGET.to_read(8 << 20, LIMIT));
                        let mut permit = BUDGET.take(bytes, LIMIT);
                        let total = now.fetch_add(bytes, Ordering::SeqCst) + bytes;
                        if bytes > LIMIT {
                            assert_eq!(total, bytes, "it is not alone");
                            alone.fetch_add(1, Ordering::SeqCst);
                        }
                        most.fetch_max(if bytes > LIMIT { 0 } else { total }, Ordering::SeqCst);
                        // More on the same thread is taken at once.
                        drop(BUDGET.take(LIMIT, LIMIT));
                        now.fetch_sub(bytes, Ordering::SeqCst);
                        permit.shrink(1);
                        drop((permit, file));
                    }
                });
            }
        });
        assert!(most.into_inner() <= LIMIT);
        assert_eq!(alone.into_inner(), 16 * 4);
        assert_eq!(BUDGET.state().taken, 0);
        assert!(BUDGET.to_read(SMALL_FILE, LIMIT).is_none());
    }
}
