use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use burn::module::{Flag, Module, Param};
use burn::tensor::{Tensor, TensorData};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use vision_kernels::ops::like;

/// The random stream of a model's dropout layers: a counter that all of them share.
///
/// Burn draws from a generator of the device, which other models in the process advance too. Here
/// every draw has its own key, and the learner sets the counter to a function of (seed, epoch,
/// batch). So a run is repeatable bit for bit, whatever else the process does.
#[derive(Clone, Debug, Default)]
pub struct RandomStream(Arc<AtomicU64>);

impl RandomStream {
    /// A stream that starts at `key`.
    pub fn new(key: u64) -> Self {
        Self(Arc::new(AtomicU64::new(key)))
    }

    /// Makes the next draw use `key`, the one after it `key + 1`, and so on.
    pub fn rewind(&self, key: u64) {
        self.0.store(key, Ordering::Relaxed);
    }

    /// Runs `work`. Meanwhile every stream draws in this thread with `key`, `key + 1`, and so on, and
    /// keeps its own counter for later. So threads that share a model draw independently.
    pub fn with_key<R>(key: u64, work: impl FnOnce() -> R) -> R {
        let _restore = Restore(KEY.replace(Some(key)));
        work()
    }

    fn next_rng(&self) -> ChaCha8Rng {
        let key = match KEY.get() {
            Some(key) => {
                KEY.set(Some(key.wrapping_add(1)));
                key
            }
            None => self.0.fetch_add(1, Ordering::Relaxed),
        };
        ChaCha8Rng::seed_from_u64(key)
    }

    /// Draws `n` factors: 0 with probability `p`, else 1/(1−p).
    pub(super) fn keep(&self, p: f64, n: usize) -> Vec<f32> {
        let keep = if p < 1.0 {
            (1.0 / (1.0 - p)) as f32
        } else {
            0.0
        };
        let threshold = (p * f64::from(u32::MAX)) as u32;
        let mut rng = self.next_rng();
        let mut factor = || match rng.next_u32() < threshold {
            true => 0.0,
            false => keep,
        };
        (0..n).map(|_| factor()).collect()
    }
}

thread_local! {
    /// The next key of all streams in this thread, within [`RandomStream::with_key`].
    static KEY: Cell<Option<u64>> = const { Cell::new(None) };
}

/// Restores the key of an outer call when dropped, after a panic too.
struct Restore(Option<u64>);

impl Drop for Restore {
    fn drop(&mut self) {
        KEY.set(self.0);
    }
}

/// Zeroes each value with probability `p` and scales the others by 1/(1−p), in training only.
#[derive(Module, Debug)]
pub struct Dropout {
    /// Whether the layer drops values on an autodiff device.
    pub training: Param<Flag>,
    #[module(skip)]
    p: f64,
    #[module(skip)]
    stream: RandomStream,
}

impl Dropout {
    /// A layer that drops values with probability `p` in `[0, 1]`, drawn from `stream`.
    pub fn new(p: f64, stream: &RandomStream) -> Self {
        Self {
            training: Param::from_bool(true),
            p,
            stream: stream.clone(),
        }
    }

    /// Sets the probability.
    pub(crate) fn with_p(mut self, p: f64) -> Self {
        self.p = p;
        self
    }

    /// The probability that a value is dropped.
    pub fn p(&self) -> f64 {
        self.p
    }

    /// Drops values of a tensor of any shape.
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        let device = x.device();
        if self.p <= 0.0 || !(device.is_autodiff() && self.training.is_enabled()) {
            return x;
        }
        let shape = x.dims();
        let mask = self.stream.keep(self.p, shape.iter().product());
        let mask: Tensor<D> = Tensor::from_data(TensorData::new(mask, shape), &device);
        let mask = like(mask, &x);
        x * mask
    }
}
