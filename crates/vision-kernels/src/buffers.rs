//! Recycled memory.
//!
//! The system hands out large allocations as fresh pages, and the first write to each page costs more
//! than the arithmetic of most layers: to fill 51 MB takes 27 ms when fresh and 3 ms when not. A step of
//! training needs the same sizes again and again, so a [`Buffer`] that is dropped waits here for the
//! next [`take`] of about its size.
//!
//! ```
//! use vision_kernels::buffers;
//!
//! let mut buffer = buffers::take(1 << 20);
//! buffer.fill(1.0);
//! drop(buffer);
//! assert!(buffers::kept() >= 4 << 20);
//! let again = buffers::take(1 << 20); // The same memory; its values may be anything.
//! # assert_eq!(again[7], 1.0);
//! ```
//!
//! A buffer is a `Vec<f32>` and aligned as that is. To begin it on a cache line was measured to save 5 to 10 % of a
//! batch normalisation that fits into a cache, and nothing beyond, against a copy in [`Buffer::into_vec`].

use std::{
    collections::VecDeque,
    fmt,
    ops::{Deref, DerefMut},
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Floats below which a buffer is not recycled (64 KiB): the allocator recycles those itself, and to fill them
/// with zeros is cheap.
const LARGE: usize = 1 << 14;

/// Bytes that may wait at first, 2 GiB; see [`set_limit`]. Of what was [taken](take) no more ever waits than
/// was in use at once, size by size.
pub const DEFAULT_LIMIT: usize = 2 << 30;

/// What waits to be used again.
struct Pool {
    /// Oldest first. The length of each is a size class, and all of it is initialised.
    free: VecDeque<Vec<f32>>,
    /// Bytes in `free`.
    bytes: usize,
    /// The most that `bytes` may be.
    limit: usize,
}

static POOL: Mutex<Pool> = Mutex::new(Pool {
    free: VecDeque::new(),
    bytes: 0,
    limit: DEFAULT_LIMIT,
});

fn pool() -> MutexGuard<'static, Pool> {
    // Nothing in here panics half-way, so what a panicking thread left is whole.
    POOL.lock().unwrap_or_else(PoisonError::into_inner)
}

fn bytes(floats: &Vec<f32>) -> usize {
    // Not the length: memory beyond it is held just the same.
    floats.capacity() * size_of::<f32>()
}

impl Pool {
    /// Takes out the oldest until no more than the limit is kept. They are returned so that the caller can
    /// drop them after unlocking: handing pages back is slow.
    #[must_use]
    fn shrink(&mut self) -> Vec<Vec<f32>> {
        let mut dropped = Vec::new();
        while self.bytes > self.limit {
            let Some(oldest) = self.free.pop_front() else {
                break;
            };
            self.bytes -= bytes(&oldest);
            dropped.push(oldest);
        }
        dropped
    }
}

/// The distance between size classes about `len`: an eighth of the power of two below it, so that at
/// most an eighth of a buffer lies idle.
fn spacing(len: usize) -> usize {
    1 << (len.max(8).ilog2() - 3)
}

/// A number of floats, in memory that may have been used before. Recycled when dropped.
pub struct Buffer {
    /// At least `len` long.
    floats: Vec<f32>,
    len: usize,
}

/// A buffer of `len` floats, whose values may be anything. Ready for any thread.
pub fn take(len: usize) -> Buffer {
    if len < LARGE {
        return Buffer::from_vec(vec![0.0; len]);
    }
    let class = len.next_multiple_of(spacing(len));
    let mut pool = pool();
    // The youngest that fits: it is the likeliest to be in a cache.
    let found = pool.free.iter().rposition(|free| free.len() == class);
    if let Some(floats) = found.and_then(|found| pool.free.remove(found)) {
        pool.bytes -= bytes(&floats);
        return Buffer { floats, len };
    }
    drop(pool);
    Buffer {
        floats: vec![0.0; class],
        len,
    }
}

/// Bytes that wait to be used again.
pub fn kept() -> usize {
    pool().bytes
}

/// Sets how many bytes may wait to be used again, [`DEFAULT_LIMIT`] at first. Beyond it those that have
/// waited longest are handed back to the system. 0 switches recycling off.
pub fn set_limit(bytes: usize) {
    let mut pool = pool();
    pool.limit = bytes;
    let dropped = pool.shrink();
    drop(pool);
    drop(dropped);
}

/// Hands everything that waits back to the system.
pub fn clear() {
    let mut pool = pool();
    pool.bytes = 0;
    let dropped = std::mem::take(&mut pool.free);
    drop(pool);
    drop(dropped);
}

impl Buffer {
    /// A buffer of these values. It is recycled as one that was [taken](take) would be.
    pub fn from_vec(floats: Vec<f32>) -> Self {
        let len = floats.len();
        Self { floats, len }
    }

    /// The values, which will not be recycled (but [`Buffer::from_vec`] takes them back). Copies nothing.
    pub fn into_vec(mut self) -> Vec<f32> {
        let mut floats = std::mem::take(&mut self.floats);
        floats.truncate(self.len);
        floats
    }
}

impl fmt::Debug for Buffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Millions of values tell nobody anything.
        let floats = self.floats.len();
        f.debug_struct("Buffer")
            .field("len", &self.len)
            .field("floats", &floats)
            .finish()
    }
}

impl Deref for Buffer {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        self.floats.get(..self.len).unwrap_or_default()
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [f32] {
        self.floats.get_mut(..self.len).unwrap_or_default()
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let mut floats = std::mem::take(&mut self.floats);
        if floats.len() < LARGE {
            return;
        }
        // To the length of a class: up where there is room, as in a vector that came from here, else down.
        let spacing = spacing(floats.len());
        let above = floats.len().next_multiple_of(spacing);
        if above <= floats.capacity() {
            floats.resize(above, 0.0);
        } else {
            floats.truncate(floats.len() / spacing * spacing);
        }
        let mut pool = pool();
        pool.bytes += bytes(&floats);
        pool.free.push_back(floats);
        let dropped = pool.shrink();
        drop(pool);
        drop(dropped);
    }
}
