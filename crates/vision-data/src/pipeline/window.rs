//! Which pixels of an image are seen, and where: crops, flips and padding by whole pixels.

use std::ops::Range;

use crate::transforms::padding::PaddingMode;
use crate::transforms::size::Cut;

/// Rows and columns of an image in a new order. Where there is none, black is seen.
#[derive(Clone, Debug)]
pub(crate) struct Window {
    rows: Axis,
    cols: Axis,
    /// Whether `rows` are columns of the image, and `cols` its rows.
    swapped: bool,
}

/// The places of one axis. They are worked out where they are looked at: a very long image has
/// millions that never are.
#[derive(Clone, Debug)]
struct Axis {
    len: usize,
    /// From first to last.
    steps: Vec<Take>,
}

/// What happens to an axis.
#[derive(Clone, Copy, Debug)]
enum Take {
    /// Its last place becomes the first; this was the last.
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

    /// The places that are not black.
    fn seen(&self) -> Vec<usize> {
        self.places().flatten().collect()
    }

    /// Where the places `of` are seen.
    fn seen_at(&self, of: &Range<usize>) -> Vec<usize> {
        let places = self.places().enumerate();
        let there = places.filter(|(_, place)| place.is_some_and(|place| of.contains(&place)));
        there.map(|(i, _)| i).collect()
    }
}

impl Window {
    /// The whole of an image.
    pub(crate) fn whole(height: usize, width: usize) -> Self {
        Self {
            rows: Axis::whole(height),
            cols: Axis::whole(width),
            swapped: false,
        }
    }

    /// Whether it shows all pixels in their places.
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

    /// Bit 0 of `k` mirrors top and bottom, bit 1 left and right, bit 2 then swaps both axes.
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

    /// Cuts or fills up to a size; `row` and `col` say what part stays.
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

    /// Adds pixels on all sides.
    pub(crate) fn pad(&mut self, pixels: usize, padding: PaddingMode) {
        for axis in [&mut self.rows, &mut self.cols] {
            let cut = Cut::around(axis.len, pixels, padding);
            axis.cut(axis.len + 2 * pixels, cut);
        }
    }

    /// The rows of the image that are seen, in the order of [`arrange`](Self::arrange).
    pub(crate) fn image_rows(&self) -> Vec<usize> {
        if self.swapped { &self.cols } else { &self.rows }.seen()
    }

    /// The columns of the image that are seen.
    pub(crate) fn image_cols(&self) -> Vec<usize> {
        if self.swapped { &self.rows } else { &self.cols }.seen()
    }

    /// Where, in what is seen, these rows and columns of the image are: its rows and columns.
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

    /// Puts `channels` planes of the pixels of [`image_rows`](Self::image_rows) and
    /// [`image_cols`](Self::image_cols) where they are seen.
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

    /// What is seen of an image of 2 by 3 pixels, numbered from 1.
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
