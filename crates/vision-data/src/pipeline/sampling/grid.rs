//! The input of sampling: a source image and a grid of points.

use crate::pipeline::sampling::projective::Map;
use crate::transforms::padding::PaddingMode;

/// Pixels of red, green and blue, row by row; bytes of an image or floats of a reduced image.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Source<'a, T> {
    pub(crate) pixels: &'a [T],
    pub(crate) height: usize,
    pub(crate) width: usize,
}

/// The requested pixels of a grid, and where they come from.
#[derive(Debug)]
pub(crate) struct Grid<'a> {
    /// The size of the whole grid.
    pub(crate) height: usize,
    pub(crate) width: usize,
    /// The requested rows and columns.
    pub(crate) rows: &'a [usize],
    pub(crate) cols: &'a [usize],
    pub(crate) map: Map,
    /// The pixels beyond the edges of the source.
    pub(crate) padding: PaddingMode,
}

/// The coordinate of pixel i of n; -1 for a single pixel, as in PyTorch.
pub(crate) fn position(i: usize, n: usize) -> f64 {
    if n < 2 {
        -1.0
    } else {
        2.0 * i as f64 / (n - 1) as f64 - 1.0
    }
}
