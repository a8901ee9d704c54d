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
//! A buffer is a `Vec`, of floats or of bytes, and aligned as that is. To begin it on a cache line was measured to save
//! 5 to 10 % of a batch normalisation that fits into a cache, and nothing beyond, against a copy in
//! [`Buffer::into_vec`].

use std::collections::VecDeque;
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, MutexGuard, PoisonError};

use sealed::Pool;

/// Bytes below which a buffer is not recycled (64 KiB): the allocator recycles those itself, and to fill them
/// with zeros is cheap.
const LARGE: usize = 1 << 16;

/// Bytes that may wait at first, 2 GiB in buffers of floats and as much in those of bytes; see [`set_limit`]. Of what
/// was [taken](take) no more ever waits than was in use at once, size by size.
pub const DEFAULT_LIMIT: usize = 2 << 30;

/// What a buffer may be made of: `f32` and `u8`.
pub trait Value: Copy + Default + 'static + sealed::Pooled {}

impl Value for f32 {}
impl Value for u8 {}

mod sealed {
    use super::{DEFAULT_LIMIT, Mutex, VecDeque};

    /// What waits to be used again.
    #[derive(Debug)]
    pub struct Pool<T> {
        /// Oldest first. The length of each is a size class, and all of it is initialised.
        pub(super) free: VecDeque<Vec<T>>,
        /// Bytes in `free`.
        pub(super) bytes: usize,
        /// The most that `bytes` may be.
        pub(super) limit: usize,
    }

    /// Each type has a pool of its own.
    pub trait Pooled: Sized {
        fn pool() -> &'static Mutex<Pool<Self>>;
    }

    impl<T> Pool<T> {
        const EMPTY: Self = Self {
            free: VecDeque::new(),
            bytes: 0,
            limit: DEFAULT_LIMIT,
        };
    }

    static FLOATS: Mutex<Pool<f32>> = Mutex::new(Pool::EMPTY);
    static BYTES: Mutex<Pool<u8>> = Mutex::new(Pool::EMPTY);

    impl Pooled for f32 {
        fn pool() -> &'static Mutex<Pool<Self>> {
            &FLOATS
        }
    }

    impl Pooled for u8 {
        fn pool() -> &'static Mutex<Pool<Self>> {
            &BYTES
        }
    }
}

fn pool<T: Value>() -> MutexGuard<'static, Pool<T>> {
    // Nothing in here panics half-way, so what a panicking thread left is whole.
    T::pool().lock().unwrap_or_else(PoisonError::into_inner)
}

fn bytes<T>(values: &Vec<T>) -> usize {
    // Not the length: memory beyond it is held just the same.
    values.capacity() * size_of::<T>()
}

impl<T> Pool<T> {
    /// Takes out the oldest until no more than the limit is kept. They are returned so that the caller can
    /// drop them after unlocking: handing pages back is slow.
    #[must_use]
    fn shrink(&mut self) -> Vec<Vec<T>> {
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

/// A number of floats or of bytes, in memory that may have been used before. Recycled when dropped.
pub struct Buffer<T: Value = f32> {
    /// At least `len` long.
    values: Vec<T>,
    len: usize,
}

/// A buffer of `len` floats, whose values may be anything. Ready for any thread.
pub fn take(len: usize) -> Buffer {
    Buffer::take(len)
}

/// As [`take`], of bytes.
pub fn take_bytes(len: usize) -> Buffer<u8> {
    Buffer::take(len)
}

/// Bytes that wait to be used again.
pub fn kept() -> usize {
    pool::<f32>().bytes + pool::<u8>().bytes
}

/// Sets how many bytes may wait to be used again in buffers of floats, and how many in those of bytes,
/// [`DEFAULT_LIMIT`] at first. Beyond it those that have waited longest are handed back to the system.
/// 0 switches recycling off.
pub fn set_limit(bytes: usize) {
    limit::<f32>(bytes);
    limit::<u8>(bytes);
}

fn limit<T: Value>(bytes: usize) {
    let mut pool = pool::<T>();
    pool.limit = bytes;
    let dropped = pool.shrink();
    drop(pool);
    drop(dropped);
}

/// Hands everything that waits back to the system.
pub fn clear() {
    empty::<f32>();
    empty::<u8>();
}

fn empty<T: Value>() {
    let mut pool = pool::<T>();
    pool.bytes = 0;
    let dropped = std::mem::take(&mut pool.free);
    drop(pool);
    drop(dropped);
}

impl<T: Value> Buffer<T> {
    fn take(len: usize) -> Self {
        if len * size_of::<T>() < LARGE {
            return Self::from_vec(vec![T::default(); len]);
        }
        let class = len.next_multiple_of(spacing(len));
        let mut pool = pool::<T>();
        // The youngest that fits: it is the likeliest to be in a cache.
        let found = pool.free.iter().rposition(|free| free.len() == class);
        if let Some(values) = found.and_then(|found| pool.free.remove(found)) {
            pool.bytes -= bytes(&values);
            return Self { values, len };
        }
        drop(pool);
        Self {
            values: vec![T::default(); class],
            len,
        }
    }

    /// A buffer of these values. It is recycled as one that was [taken](take) would be.
    pub fn from_vec(values: Vec<T>) -> Self {
        let len = values.len();
        Self { values, len }
    }

    /// The values, which will not be recycled (but [`Buffer::from_vec`] takes them back). Copies nothing.
    pub fn into_vec(mut self) -> Vec<T> {
        let mut values = std::mem::take(&mut self.values);
        values.truncate(self.len);
        values
    }
}

impl<T: Value> fmt::Debug for Buffer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Millions of values tell nobody anything.
        let room = self.values.len();
        f.debug_struct("Buffer")
            .field("len", &self.len)
            .field("room", &room)
            .finish()
    }
}

impl<T: Value> Deref for Buffer<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.values[..self.len]
    }
}

impl<T: Value> DerefMut for Buffer<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.values[..self.len]
    }
}

impl<T: Value> Drop for Buffer<T> {
    fn drop(&mut self) {
        let mut values = std::mem::take(&mut self.values);
        // All the room there is, and not only what was used of it: then it goes back to the class that
        // it came from.
        let spacing = spacing(values.capacity());
        let class = values.capacity() / spacing * spacing;
        if class * size_of::<T>() < LARGE {
            return;
        }
        values.resize(class, T::default());
        let mut pool = pool();
        pool.bytes += bytes(&values);
        pool.free.push_back(values);
        let dropped = pool.shrink();
        drop(pool);
        drop(dropped);
    }
}
