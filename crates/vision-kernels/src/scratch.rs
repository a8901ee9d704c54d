//! Memory that kernels work in, used again from call to call.
//!
//! The first write to a fresh page costs more than the arithmetic on it: filling 51 MB of new memory takes
//! 27 ms, filling it again 3 ms. So buffers go back to a list instead of to the system.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Buffers that nobody uses.
static FREE: Mutex<Vec<Vec<f32>>> = Mutex::new(Vec::new());

/// More buffers than this are not kept. A step needs a handful per thread.
const KEPT_BUFFERS: usize = 256;
/// More values than this (1 GiB) are not kept.
const KEPT_VALUES: usize = 1 << 28;
/// Values in a cache line: vector loads that straddle two lines take twice as long.
const ALIGNMENT: usize = 16;

/// A slice of unspecified contents that starts on a cache line. Goes back to the list when dropped.
pub(crate) struct Scratch {
    buffer: Vec<f32>,
    start: usize,
    len: usize,
}

impl Scratch {
    /// `len` values, of which each may be anything.
    pub(crate) fn take(len: usize) -> Self {
        let needed = len + ALIGNMENT;
        let buffer = recycled(needed).unwrap_or_else(|| vec![0.0; needed]);
        let start = buffer
            .as_ptr()
            .align_offset(ALIGNMENT * size_of::<f32>())
            .min(ALIGNMENT);
        Self { buffer, start, len }
    }

    /// `len` zeros.
    pub(crate) fn zeros(len: usize) -> Self {
        let mut scratch = Self::take(len);
        scratch.fill(0.0);
        scratch
    }
}

/// The smallest free buffer that is large enough, unless it is far larger.
fn recycled(needed: usize) -> Option<Vec<f32>> {
    let mut free = free();
    let best = free
        .iter()
        .enumerate()
        .filter(|(_, buffer)| buffer.len() >= needed && buffer.len() / 4 <= needed)
        .min_by_key(|(_, buffer)| buffer.len())
        .map(|(index, _)| index)?;
    Some(free.swap_remove(best))
}

fn free() -> MutexGuard<'static, Vec<Vec<f32>>> {
    // A panic elsewhere leaves the list whole: it is only ever pushed to and removed from.
    FREE.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let buffer = std::mem::take(&mut self.buffer);
        let mut free = free();
        let kept: usize = free.iter().map(Vec::len).sum();
        if free.len() < KEPT_BUFFERS && kept + buffer.len() <= KEPT_VALUES {
            free.push(buffer);
        }
    }
}

impl Deref for Scratch {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &self.buffer[self.start..self.start + self.len]
    }
}

impl DerefMut for Scratch {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.buffer[self.start..self.start + self.len]
    }
}

impl fmt::Debug for Scratch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scratch").field("len", &self.len).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_starts_on_a_cache_line_and_has_the_length_asked_for() {
        for len in [0, 1, 15, 1000, 70_000] {
            let scratch = Scratch::take(len);
            assert_eq!(scratch.len(), len);
            assert_eq!(scratch.as_ptr().align_offset(64), 0);
        }
    }
}
