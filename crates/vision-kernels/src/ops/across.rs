//! Batches that several processes share.

use std::cell::RefCell;
use std::fmt::Debug;
use std::sync::Arc;

/// Adds up over all processes that share a batch, each of which calls it at the same place of its work.
pub trait Across: Debug + Send + Sync {
    /// Replaces each value by its sum over all processes. What cannot be added up (another process has died) stays as it
    /// is: the implementation remembers it, and its owner asks before the results are used.
    fn sum(&self, values: &mut [f64]);
}

thread_local! {
    static NOW: RefCell<Option<Arc<dyn Across>>> = const { RefCell::new(None) };
}

/// Runs `work`. Batches that this thread normalizes meanwhile, with gradients and on the CPU, are parts of a whole one,
/// whose statistics normalize it: "synchronized" batch normalization. Their gradients form sums in the same way, later.
///
/// ```
/// use std::sync::Arc;
/// use vision_kernels::ops::{Across, across};
///
/// // As if another process had the same values.
/// #[derive(Debug)]
/// struct Twice;
/// impl Across for Twice {
///     fn sum(&self, values: &mut [f64]) {
///         values.iter_mut().for_each(|value| *value *= 2.0);
///     }
/// }
/// assert_eq!(across(Arc::new(Twice), || 7), 7);
/// ```
pub fn across<R>(processes: Arc<dyn Across>, work: impl FnOnce() -> R) -> R {
    let _restore = Restore(NOW.replace(Some(processes)));
    work()
}

/// Those of [`across`] in this thread.
#[cfg(feature = "flex")]
pub(super) fn now() -> Option<Arc<dyn Across>> {
    NOW.with_borrow(Clone::clone)
}

/// Restores those of an outer call when dropped, after a panic too.
struct Restore(Option<Arc<dyn Across>>);

impl Drop for Restore {
    fn drop(&mut self) {
        NOW.set(self.0.take());
    }
}
