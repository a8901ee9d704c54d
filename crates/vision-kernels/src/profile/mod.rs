//! Profile of a network: the time of each kernel, in the order of execution.
//!
//! ```
//! use burn::tensor::Tensor;
//! use vision_kernels::{ops, profile};
//! # let device = Default::default();
//!
//! let x = Tensor::<4>::ones([1, 8, 8, 3], &device);
//! let (_, calls) = profile::record(|| ops::relu(x));
//! # if device == burn::tensor::Device::flex() {
//! assert_eq!(calls[0].kernel, "relu");
//! assert_eq!(calls[0].bytes, (2 * 4 * 8 * 8 * 3) as f64);
//! # }
//! ```

mod machine;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

pub use machine::Machine;

/// A call of a kernel through [`ops`](crate::ops).
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// Name of the operation.
    pub kernel: &'static str,
    /// Its sizes.
    pub shape: String,
    /// Duration.
    pub seconds: f64,
    /// Floating-point operations that its algorithm needs: those of its matrix products.
    pub flops: f64,
    /// Bytes read and written, counting each array once per pass.
    pub bytes: f64,
}

/// Name, sizes and minimal cost of a call.
pub(crate) struct Cost {
    pub(crate) shape: String,
    pub(crate) flops: f64,
    /// Values of four bytes that are read or written.
    pub(crate) values: usize,
}

static ON: AtomicBool = AtomicBool::new(false);
static CALLS: Mutex<Vec<Call>> = Mutex::new(Vec::new());

fn calls() -> MutexGuard<'static, Vec<Call>> {
    CALLS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs `work` and returns the time of each kernel in it, on any thread of the process.
pub fn record<R>(work: impl FnOnce() -> R) -> (R, Vec<Call>) {
    calls().clear();
    ON.store(true, Ordering::Relaxed);
    let result = work();
    ON.store(false, Ordering::Relaxed);
    (result, std::mem::take(&mut calls()))
}

/// Runs a kernel, and records it if a recording is active.
pub(crate) fn timed<R>(
    kernel: &'static str,
    cost: impl FnOnce() -> Cost,
    work: impl FnOnce() -> R,
) -> R {
    if !ON.load(Ordering::Relaxed) {
        return work();
    }
    let begin = Instant::now();
    let result = work();
    let seconds = begin.elapsed().as_secs_f64();
    let Cost {
        shape,
        flops,
        values,
    } = cost();
    calls().push(Call {
        kernel,
        shape,
        seconds,
        flops,
        bytes: (values * size_of::<f32>()) as f64,
    });
    result
}
