//! Recycled memory.
//!
//! The system provides large allocations as fresh pages, and the first write to each page costs
//! more than the arithmetic of most layers: to fill 51 MB takes 27 ms with fresh pages and 3 ms
//! otherwise. Training needs the same sizes in every step. So a [`Buffer`] that is dropped is kept
//! here until the next [`take`] of about its size.
//!
//! ```
//! use vision_kernels::buffers;
//!
//! let mut buffer = buffers::take(1 << 20);
//! buffer.fill(1.0);
//! drop(buffer);
//! assert!(buffers::kept() >= 4 << 20);
//! let again = buffers::take(1 << 20); // The same memory, with unspecified values.
//! # assert_eq!(again[7], 1.0);
//! ```
//!
//! A buffer is a `Vec` of floats or of bytes, with the alignment of a `Vec`. Alignment to a cache
//! line was measured to save 5 to 10 % of a batch normalization that fits into a cache, and nothing
//! beyond that; it would require a copy in [`Buffer::into_vec`].

use std::collections::VecDeque;
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, MutexGuard, PoisonError};

use sealed::Pool;

/// Smaller buffers are not recycled (64 KiB): the allocator itself recycles those, and to fill them
/// with zeros is cheap.
const LARGE: usize = 1 << 16;

/// Default limit of kept memory: 2 GiB in buffers of floats, and as much in buffers of bytes. See
/// [`set_limit`]. For memory that was [taken](take), never more is kept than was in use at once,
/// size by size.
pub const DEFAULT_LIMIT: usize = 2 << 30;

/// Element type of a buffer: `f32` or `u8`.
pub trait Value: Copy + Default + 'static + sealed::Pooled {}

impl Value for f32 {}
impl Value for u8 {}

mod sealed {
    use super::{DEFAULT_LIMIT, Mutex, VecDeque};

    /// Buffers that are kept for reuse.
    #[derive(Debug)]
    pub struct Pool<T> {
        /// Oldest first. The length of each is a size class, and all values are initialized.
        pub(super) free: VecDeque<Vec<T>>,
        /// Bytes in `free`.
        pub(super) bytes: usize,
        /// Largest allowed value of `bytes`.
        pub(super) limit: usize,
    }

    /// Access to the pool of a type.
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
    // Nothing in here panics half-way, so the state of a poisoned lock is consistent.
    T::pool().lock().unwrap_or_else(PoisonError::into_inner)
}

fn bytes<T>(values: &Vec<T>) -> usize {
    // The capacity, not the length: all of it occupies memory.
    values.capacity() * size_of::<T>()
}

impl<T> Pool<T> {
    /// Removes the oldest buffers until the limit is met. Returns them, so that the caller can drop
    /// them after unlocking: to give pages back is slow.
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

/// The distance between size classes near `len`: an eighth of the power of two below it, so that at
/// most an eighth of a buffer is unused.
fn spacing(len: usize) -> usize {
    1 << (len.max(8).ilog2() - 3)
}

/// A buffer of floats or bytes, possibly in recycled memory. Its memory is recycled when it is
/// dropped.
pub struct Buffer<T: Value = f32> {
    /// At least `len` long.
    values: Vec<T>,
    len: usize,
}

/// A buffer of `len` floats with unspecified values. Can be sent to any thread.
pub fn take(len: usize) -> Buffer {
    Buffer::take(len)
}

/// Like [`take`], for bytes.
pub fn take_bytes(len: usize) -> Buffer<u8> {
    Buffer::take(len)
}

/// Number of bytes that are kept for reuse.
pub fn kept() -> usize {
    pool::<f32>().bytes + pool::<u8>().bytes
}

/// Sets how many bytes are kept for reuse in buffers of floats, and how many in buffers of bytes.
/// Default: [`DEFAULT_LIMIT`]. Beyond the limit, the buffers that have been kept longest are given
/// back to the system. 0 disables recycling.
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

/// Gives all kept buffers back to the system.
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
        // The most recent buffer that fits: it is the most likely to be in a cache.
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

    /// A buffer of these values. It is recycled like one that was [taken](take).
    pub fn from_vec(values: Vec<T>) -> Self {
        let len = values.len();
        Self { values, len }
    }

    /// Returns the values without a copy. They are not recycled, unless [`Buffer::from_vec`] takes
    /// them back.
    pub fn into_vec(mut self) -> Vec<T> {
        let mut values = std::mem::take(&mut self.values);
        values.truncate(self.len);
        values
    }
}

impl<T: Value> fmt::Debug for Buffer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Millions of values would be useless in debug output.
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
        self.values.get(..self.len).unwrap_or_default()
    }
}

impl<T: Value> DerefMut for Buffer<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        self.values.get_mut(..self.len).unwrap_or_default()
    }
}

impl<T: Value> Drop for Buffer<T> {
    fn drop(&mut self) {
        let mut values = std::mem::take(&mut self.values);
        // Use the whole capacity, not only the used part, so that the memory returns to the class
        // that it came from.
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
