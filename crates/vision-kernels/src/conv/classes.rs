//! Which taps of the kernel an output pixel sees.
//!
//! Pixels that see the same taps form a class. Within one, each tap is a constant distance in the input,
//! so that a tile of any pixels of the class needs no tests for the border, and nothing is multiplied
//! with padding. A 3x3 convolution has nine classes; the gradient with respect to the input of one with
//! stride 2 is a convolution like any other whose classes are the parities of row and column.

use std::cmp::Reverse;
use std::ops::Range;

use super::ConvShape;

/// A stretch of input values that meets a stretch of weight rows: one row of the kernel, as a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    /// First value, counted from the pixel's base.
    pub(crate) offset: usize,
    /// First row of the packed weights.
    pub(crate) row: usize,
    /// Values, and rows.
    pub(crate) len: usize,
}

impl Run {
    /// The part of it that lies in a range of weight rows.
    pub(crate) fn clip(&self, rows: &Range<usize>) -> Option<Self> {
        let start = self.row.max(rows.start);
        let end = (self.row + self.len).min(rows.end);
        (start < end).then(|| Self {
            offset: self.offset + start - self.row,
            row: start,
            len: end - start,
        })
    }

    /// It in pieces of at most `len`.
    pub(crate) fn pieces(self, len: usize) -> impl Iterator<Item = Self> {
        let rows = (self.row..self.row + self.len).step_by(len);
        rows.filter_map(move |row| self.clip(&(row..row + len)))
    }
}

/// One output pixel.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pixel {
    /// Index in `[batch, height, width]` of the output.
    pub(crate) index: usize,
    /// Where the runs of its class are counted from, in values of the input.
    pub(crate) base: usize,
}

/// A convolution by classes of output pixels: forward, or with respect to its input.
#[derive(Debug)]
pub(crate) struct Plan {
    rows: Axis,
    columns: Axis,
    /// Rows and columns of what is read.
    input: (usize, usize),
    /// Channels of what is read.
    channels: usize,
    /// Taps of the kernel.
    taps: usize,
    /// By row class times column classes plus column class.
    runs: Vec<Vec<Run>>,
}

impl Plan {
    /// Reads the input, writes the output.
    pub(crate) fn forward(shape: &ConvShape) -> Self {
        Self::new(
            Axis::forward(shape, shape.height, shape.out_height()),
            Axis::forward(shape, shape.width, shape.out_width()),
            (shape.height, shape.width),
            shape.in_channels,
            shape.kernel,
        )
    }

    /// Reads the gradient of the output, writes that of the input.
    pub(crate) fn backward(shape: &ConvShape) -> Self {
        Self::new(
            Axis::backward(shape, shape.height, shape.out_height()),
            Axis::backward(shape, shape.width, shape.out_width()),
            (shape.out_height(), shape.out_width()),
            shape.out_channels,
            shape.kernel,
        )
    }

    fn new(
        rows: Axis,
        columns: Axis,
        input: (usize, usize),
        channels: usize,
        kernel: usize,
    ) -> Self {
        let mut runs = Vec::with_capacity(rows.classes.len() * columns.classes.len());
        for row_taps in &rows.classes {
            for column_taps in &columns.classes {
                let mut class: Vec<Run> = Vec::new();
                for vertical in row_taps {
                    let first = class.len();
                    for horizontal in column_taps {
                        let offset = (vertical.distance * input.1 + horizontal.distance) * channels;
                        let row = (vertical.position * kernel + horizontal.position) * channels;
                        match class[first..].last_mut() {
                            // Neighbours in the input and in the weights: one longer run.
                            Some(run)
                                if run.offset + run.len == offset && run.row + run.len == row =>
                            {
                                run.len += channels;
                            }
                            _ => class.push(Run {
                                offset,
                                row,
                                len: channels,
                            }),
                        }
                    }
                }
                runs.push(class);
            }
        }
        Self {
            rows,
            columns,
            input,
            channels,
            taps: kernel * kernel,
            runs,
        }
    }

    /// The runs of each class.
    pub(crate) fn runs(&self) -> &[Vec<Run>] {
        &self.runs
    }

    /// Which taps, in the order of the packed weights, any output pixel sees: on a map of one pixel a single
    /// one of nine.
    pub(crate) fn live_taps(&self) -> Vec<bool> {
        let mut live = vec![false; self.taps];
        for run in self.runs.iter().flatten() {
            // At least 1 only against runs without channels, which are empty.
            let first = run.row / self.channels.max(1);
            let count = run.len / self.channels.max(1);
            live[first..first + count].fill(true);
        }
        live
    }

    /// The output pixels of a range, by class, ascending within each.
    pub(crate) fn by_class(&self, range: Range<usize>) -> Vec<Vec<Pixel>> {
        let (height, width) = (self.rows.of.len(), self.columns.of.len());
        let mut classes = vec![Vec::new(); self.runs.len()];
        let mut index = range.start;
        while index < range.end {
            let (line, first) = (index / width, index % width);
            let (image, row) = (line / height, line % height);
            let (row_class, input_row) = self.rows.of[row];
            let last = width.min(first + range.end - index);
            for &(column_class, input_column) in &self.columns.of[first..last] {
                let pixel = (image * self.input.0 + input_row) * self.input.1 + input_column;
                classes[row_class * self.columns.classes.len() + column_class].push(Pixel {
                    index,
                    base: pixel * self.channels,
                });
                index += 1;
            }
        }
        classes
    }
}

/// One tap along an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Tap {
    /// Its place in the order of the packed weights.
    position: usize,
    /// From the first tap that the class sees, in pixels of the input.
    distance: usize,
}

/// The classes along one side of the picture.
#[derive(Debug)]
struct Axis {
    /// The taps of each class, by ascending input pixel.
    classes: Vec<Vec<Tap>>,
    /// For each output pixel its class and the input pixel of its first tap.
    of: Vec<(usize, usize)>,
}

impl Axis {
    fn forward(shape: &ConvShape, input: usize, output: usize) -> Self {
        Self::new(output, |pixel| {
            (0..shape.kernel)
                .filter_map(|tap| {
                    let read = (pixel * shape.stride + tap).checked_sub(shape.padding)?;
                    (read < input).then_some((tap, read))
                })
                .collect()
        })
    }

    fn backward(shape: &ConvShape, input: usize, output: usize) -> Self {
        let order = backward_order(shape);
        Self::new(input, |pixel| {
            order
                .iter()
                .enumerate()
                .filter_map(|(position, &tap)| {
                    let distance = (pixel + shape.padding).checked_sub(tap)?;
                    let read = distance / shape.stride;
                    (distance % shape.stride == 0 && read < output).then_some((position, read))
                })
                .collect()
        })
    }

    /// `taps` gives for an output pixel the positions of its taps and what they read, by what they read.
    fn new(output: usize, taps: impl Fn(usize) -> Vec<(usize, usize)>) -> Self {
        let mut classes: Vec<Vec<Tap>> = Vec::new();
        let mut of = Vec::with_capacity(output);
        for pixel in 0..output {
            let taps = taps(pixel);
            let base = taps.first().map_or(0, |&(_, read)| read);
            let taps: Vec<Tap> = taps
                .iter()
                .map(|&(position, read)| Tap {
                    position,
                    distance: read - base,
                })
                .collect();
            let class = classes
                .iter()
                .position(|known| *known == taps)
                .unwrap_or_else(|| {
                    classes.push(taps);
                    classes.len() - 1
                });
            of.push((class, base));
        }
        Self { classes, of }
    }
}

/// The taps along an axis in the order in which weights are packed for the gradient of the input: flipped,
/// and for a stride by remainder, so that the taps which one pixel sees are neighbours.
pub(crate) fn backward_order(shape: &ConvShape) -> Vec<usize> {
    let mut order: Vec<usize> = (0..shape.kernel).collect();
    order.sort_by_key(|&tap| (tap % shape.stride, Reverse(tap)));
    order
}
