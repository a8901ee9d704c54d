//! What is sampled, and where.

use crate::pipeline::sampling::projective::Map;
use crate::transforms::padding::PaddingMode;

/// Pixels of red, green and blue, row by row; bytes of an image or floats of a shrunk one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Source<'a, T> {
    pub(crate) pixels: &'a [T],
    pub(crate) height: usize,
    pub(crate) width: usize,
}

/// Which pixels of which grid are wanted, and where they come from.
#[derive(Debug)]
pub(crate) struct Grid<'a> {
    /// The size of the whole grid.
    pub(crate) height: usize,
    pub(crate) width: usize,
    /// The rows and columns of it that are wanted.
    pub(crate) rows: &'a [usize],
    pub(crate) cols: &'a [usize],
    pub(crate) map: Map,
    /// What is beyond the edges of the source.
    pub(crate) padding: PaddingMode,
}

/// The coordinate of the i-th of n pixels; of one pixel it is -1, as PyTorch has it.
pub(crate) fn position(i: usize, n: usize) -> f64 {
    if n < 2 {
        -1.0
    } else {
        2.0 * i as f64 / (n - 1) as f64 - 1.0
    }
}
