//! Scratch memory of kernels: recycled [buffers](crate::buffers), aligned to a cache line.

use std::fmt;
use std::ops::{Deref, DerefMut};

use crate::buffers::{self, Buffer};

/// Values in a cache line. Vector loads that straddle two lines take twice as long.
const ALIGNMENT: usize = 16;

/// A slice with unspecified values that starts on a cache line. Its memory is recycled when it is
/// dropped.
pub(crate) struct Scratch {
    buffer: Buffer,
    start: usize,
    len: usize,
}

impl Scratch {
    /// Takes `len` unspecified values.
    pub(crate) fn take(len: usize) -> Self {
        let buffer = buffers::take(len + ALIGNMENT);
        let start = buffer
            .as_ptr()
            .align_offset(ALIGNMENT * size_of::<f32>())
            .min(ALIGNMENT);
        Self { buffer, start, len }
    }

    /// Takes `len` zeros.
    pub(crate) fn zeros(len: usize) -> Self {
        let mut scratch = Self::take(len);
        scratch.fill(0.0);
        scratch
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
