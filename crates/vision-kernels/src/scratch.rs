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

    /// Takes memory for [`parts`](Self::parts) of these lengths. What is needed together is taken together: small
    /// buffers are not recycled.
    pub(crate) fn of_parts<const N: usize>(lengths: [usize; N]) -> Self {
        Self::take(
            lengths
                .map(|len| len.next_multiple_of(ALIGNMENT))
                .iter()
                .sum(),
        )
    }

    /// Slices of these lengths, each from a cache line on.
    pub(crate) fn parts<const N: usize>(&mut self, lengths: [usize; N]) -> [&mut [f32]; N] {
        let mut rest = &mut **self;
        lengths.map(|len| {
            let (part, others) =
                std::mem::take(&mut rest).split_at_mut(len.next_multiple_of(ALIGNMENT));
            rest = others;
            &mut part[..len]
        })
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

    #[test]
    fn parts_start_on_cache_lines_and_do_not_overlap() {
        let lengths = [5, 0, 1000, 16, 1];
        let mut scratch = Scratch::of_parts(lengths);
        let mut parts = scratch.parts(lengths);
        for (value, part) in (0_u8..).zip(&mut parts) {
            assert_eq!(part.as_ptr().align_offset(64), 0);
            part.fill(value.into());
        }
        for ((value, part), len) in (0_u8..).zip(&parts).zip(lengths) {
            assert_eq!(**part, vec![f32::from(value); len]);
        }
    }
}
