//! Windows: the visible pixels of an image after crops, flips and padding of whole pixels.

use std::ops::Range;

use crate::transforms::padding::PaddingMode;
use crate::transforms::size::Cut;

/// A rearrangement of the rows and columns of an image, with black padding.
#[derive(Clone, Debug)]
pub(crate) struct Window {
    rows: Axis,
    cols: Axis,
    /// Whether `rows` are columns of the image, and `cols` its rows.
    swapped: bool,
}

/// The indices of one axis. They are computed on demand: a very long image has millions that are never
/// used.
#[derive(Clone, Debug)]
struct Axis {
    len: usize,
    /// The operations, first to last.
    steps: Vec<Take>,
}

/// An operation on an axis.
#[derive(Clone, Copy, Debug)]
enum Take {
    /// Reverses the axis; the field is its last index.
    Backwards(usize),
    Cut(Cut),
}

impl Axis {
    fn whole(len: usize) -> Self {
        Self {
            len,
            steps: Vec::new(),
        }
    }

    fn get(&self, i: usize) -> Option<usize> {
        if i >= self.len {
            return None;
        }
        self.steps.iter().rev().try_fold(i, |i, step| match step {
            Take::Backwards(last) => Some(last - i),
            Take::Cut(cut) => cut.place(i),
        })
    }

    fn reverse(&mut self) {
        if let Some(last) = self.len.checked_sub(1) {
            self.steps.push(Take::Backwards(last));
        }
    }

    fn cut(&mut self, len: usize, cut: Cut) {
        self.len = len;
        self.steps.push(Take::Cut(cut));
    }

    fn places(&self) -> impl Iterator<Item = Option<usize>> {
        (0..self.len).map(|i| self.get(i))
    }

    /// The indices that are not black.
    fn seen(&self) -> Vec<usize> {
        self.places().flatten().collect()
    }

    /// Where the indices `of` are visible.
    fn seen_at(&self, of: &Range<usize>) -> Vec<usize> {
        let places = self.places().enumerate();
        let there = places.filter(|(_, place)| place.is_some_and(|place| of.contains(&place)));
        there.map(|(i, _)| i).collect()
    }
}

impl Window {
    /// Shows the whole image.
    pub(crate) fn whole(height: usize, width: usize) -> Self {
        Self {
            rows: Axis::whole(height),
            cols: Axis::whole(width),
            swapped: false,
        }
    }

    /// Whether all pixels are shown at their original positions.
    pub(crate) fn is_whole(&self) -> bool {
        self.rows.steps.is_empty() && self.cols.steps.is_empty() && !self.swapped
    }

    pub(crate) fn height(&self) -> usize {
        self.rows.len
    }

    pub(crate) fn width(&self) -> usize {
        self.cols.len
    }

    pub(crate) fn flip_lr(&mut self) {
        self.cols.reverse();
    }

    /// Bit 0 of `k` mirrors top and bottom, bit 1 left and right, then bit 2 swaps both axes.
    pub(crate) fn dihedral(&mut self, k: u32) {
        if k & 1 != 0 {
            self.rows.reverse();
        }
        if k & 2 != 0 {
            self.cols.reverse();
        }
        if k & 4 != 0 {
            std::mem::swap(&mut self.rows, &mut self.cols);
            self.swapped = !self.swapped;
        }
    }

    /// Crops or pads to a size; `row` and `col` give the position of the crop.
    pub(crate) fn crop_pad(
        &mut self,
        (height, width): (usize, usize),
        row: f64,
        col: f64,
        padding: PaddingMode,
    ) {
        let size = (self.height(), self.width());
        if size != (height, width) {
            let rows = Cut::new(size.0, height, row, padding);
            self.rows.cut(height, rows);
            let cols = Cut::new(size.1, width, col, padding);
            self.cols.cut(width, cols);
        }
    }

    /// Pads all sides.
    pub(crate) fn pad(&mut self, pixels: usize, padding: PaddingMode) {
        for axis in [&mut self.rows, &mut self.cols] {
            let cut = Cut::around(axis.len, pixels, padding);
            axis.cut(axis.len + 2 * pixels, cut);
        }
    }

    /// The visible rows of the image, in the order that [`arrange`](Self::arrange) expects.
    pub(crate) fn image_rows(&self) -> Vec<usize> {
        if self.swapped { &self.cols } else { &self.rows }.seen()
    }

    /// The visible columns of the image.
    pub(crate) fn image_cols(&self) -> Vec<usize> {
        if self.swapped { &self.rows } else { &self.cols }.seen()
    }

    /// The visible rows and columns at which these rows and columns of the image are shown.
    pub(crate) fn seen_at(
        &self,
        rows: &Range<usize>,
        cols: &Range<usize>,
    ) -> (Vec<usize>, Vec<usize>) {
        let (down, across) = if self.swapped {
            (cols, rows)
        } else {
            (rows, cols)
        };
        (self.rows.seen_at(down), self.cols.seen_at(across))
    }

    /// Arranges `channels` planes of the pixels of [`image_rows`](Self::image_rows) and
    /// [`image_cols`](Self::image_cols) as they are visible.
    pub(crate) fn arrange<T: Copy + Default>(&self, planes: Vec<T>, channels: usize) -> Vec<T> {
        let black = |axis: &Axis| axis.places().any(|place| place.is_none());
        if !self.swapped && !black(&self.rows) && !black(&self.cols) {
            return planes;
        }
        let rank = |axis: &Axis| -> (Vec<Option<usize>>, usize) {
            let mut next = 0..;
            let ranks = axis.places().map(|place| place.and_then(|_| next.next()));
            (ranks.collect(), next.start)
        };
        let ((rows, down), (cols, across)) = (rank(&self.rows), rank(&self.cols));
        let mut arranged = Vec::with_capacity(channels * rows.len() * cols.len());
        for channel in 0..channels {
            let plane = &planes[channel * down * across..][..down * across];
            for row in &rows {
                arranged.extend(cols.iter().map(|col| match (*row, *col) {
                    (Some(row), Some(col)) if self.swapped => plane[col * down + row],
                    (Some(row), Some(col)) => plane[row * across + col],
                    _ => T::default(),
                }));
            }
        }
        arranged
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The visible pixels of an image of 2 by 3 pixels, numbered from 1.
    fn seen(window: &Window) -> Vec<u8> {
        let image = [[1, 2, 3], [4, 5, 6]];
        let cols = window.image_cols();
        let pixels = window.image_rows().into_iter();
        window.arrange(
            pixels
                .flat_map(|row| cols.iter().map(move |&col| image[row][col]))
                .collect(),
            1,
        )
    }

    #[test]
    fn a_window_can_be_flipped_turned_cut_and_padded_again_and_again() {
        let mut window = Window::whole(2, 3);
        window.flip_lr();
        assert_eq!(seen(&window), [3, 2, 1, 6, 5, 4]);
        window.dihedral(4);
        assert_eq!(seen(&window), [3, 6, 2, 5, 1, 4]);
        window.crop_pad((2, 2), 0.99, 0.0, PaddingMode::Zeros);
        assert_eq!(seen(&window), [2, 5, 1, 4]);
        window.pad(1, PaddingMode::Zeros);
        assert_eq!(
            seen(&window),
            [0, 0, 0, 0, 0, 2, 5, 0, 0, 1, 4, 0, 0, 0, 0, 0]
        );
        window.dihedral(4);
        window.crop_pad((3, 2), 0.99, 0.99, PaddingMode::Zeros);
        assert_eq!(seen(&window), [1, 0, 4, 0, 0, 0]);
        window.pad(1, PaddingMode::Border);
        assert_eq!((window.height(), window.width()), (5, 4));
        assert_eq!(seen(&window)[..8], [1, 1, 0, 0, 1, 1, 0, 0]);
    }
}
