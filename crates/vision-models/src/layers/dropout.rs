use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

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
pub struct RandomStream {
    key: Arc<AtomicU64>,
    rows: Arc<Mutex<Option<Rows>>>,
}

/// The rows of a batch that are here, if other processes have the others.
#[derive(Clone, Copy, Debug)]
struct Rows {
    first: usize,
    count: usize,
}

impl RandomStream {
    /// A stream that starts at `key`.
    pub fn new(key: u64) -> Self {
        Self {
            key: Arc::new(AtomicU64::new(key)),
            rows: Arc::default(),
        }
    }

    /// Makes the next draw use `key`, the one after it `key + 1`, and so on.
    pub fn rewind(&self, key: u64) {
        self.key.store(key, Ordering::Relaxed);
    }

    /// Runs `work`. Meanwhile every stream draws in this thread with `key`, `key + 1`, and so on, and
    /// keeps its own counter for later. So threads that share a model draw independently.
    pub fn with_key<R>(key: u64, work: impl FnOnce() -> R) -> R {
        let _restore = Restore(KEY.replace(Some(key)));
        work()
    }

    /// Runs `work`, in which a batch has `count` rows: those from row `first` on of a batch that several processes share.
    /// Masks are then those rows of the masks of the whole batch.
    pub fn with_rows<R>(&self, first: usize, count: usize, work: impl FnOnce() -> R) -> R {
        self.set_rows(Some(Rows { first, count }));
        let _whole = Whole(self);
        work()
    }

    fn set_rows(&self, rows: Option<Rows>) {
        *self.rows.lock().unwrap_or_else(PoisonError::into_inner) = rows;
    }

    /// How many values of a mask belong to earlier rows, if `n` of them are for the rows here.
    fn values_before(&self, n: usize) -> u128 {
        let rows = *self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        rows.map_or(0, |Rows { first, count }| {
            (n / count.max(1)) as u128 * first as u128
        })
    }

    fn next_rng(&self) -> ChaCha8Rng {
        let key = match KEY.get() {
            Some(key) => {
                KEY.set(Some(key.wrapping_add(1)));
                key
            }
            None => self.key.fetch_add(1, Ordering::Relaxed),
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
        let before = self.values_before(n);
        if before > 0 {
            // One word a value.
            rng.set_word_pos(before);
        }
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

/// Makes batches whole again when dropped, after a panic too.
struct Whole<'a>(&'a RandomStream);

impl Drop for Whole<'_> {
    fn drop(&mut self) {
        self.0.set_rows(None);
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_masks_of_the_parts_of_a_batch_are_the_rows_of_the_mask_of_the_whole() {
        let stream = RandomStream::new(7);
        let whole = stream.keep(0.4, 5 * 9);
        let mut parts = Vec::new();
        for (first, count) in [(0, 2), (2, 0), (2, 3)] {
            stream.rewind(7);
            parts.extend(stream.with_rows(first, count, || stream.keep(0.4, count * 9)));
        }
        assert_eq!(parts, whole);
        stream.rewind(7);
        assert_eq!(stream.keep(0.4, 5 * 9), whole, "afterwards, all of it");
    }
}
