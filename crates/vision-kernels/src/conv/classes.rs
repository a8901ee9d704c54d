//! Classes of output pixels, by the kernel taps that they see.
//!
//! Pixels that see the same taps form a class. Within a class, each tap is a constant distance in
//! the input. So a tile of any pixels of the class needs no border checks, and nothing is
//! multiplied with padding. A 3x3 convolution has nine classes. The gradient with respect to the
//! input at stride 2 is an ordinary convolution whose classes are the parities of row and column.

use std::cmp::Reverse;
use std::ops::Range;

use super::ConvShape;

/// A range of input values that meets a range of weight rows: usually one row of the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    /// First value, counted from the pixel's base.
    pub(crate) offset: usize,
    /// First row of the packed weights.
    pub(crate) row: usize,
    /// Number of values, and of rows.
    pub(crate) len: usize,
}

impl Run {
    /// The part that lies in a range of weight rows.
    pub(crate) fn clip(&self, rows: &Range<usize>) -> Option<Self> {
        let start = self.row.max(rows.start);
        let end = (self.row + self.len).min(rows.end);
        (start < end).then(|| Self {
            offset: self.offset + start - self.row,
            row: start,
            len: end - start,
        })
    }

    /// Splits it into pieces of at most `len`.
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
    /// Base of the runs of its class, as an index into the values of the input.
    pub(crate) base: usize,
}

/// A convolution by classes of output pixels: forward, or with respect to its input.
#[derive(Debug)]
pub(crate) struct Plan {
    rows: Axis,
    columns: Axis,
    /// Rows and columns of the array that is read.
    input: (usize, usize),
    /// Channels of the array that is read.
    channels: usize,
    /// Taps of the kernel.
    taps: usize,
    /// Indexed by row class times the number of column classes plus column class.
    runs: Vec<Vec<Run>>,
}

impl Plan {
    /// The plan that reads the input and writes the output.
    pub(crate) fn forward(shape: &ConvShape) -> Self {
        Self::new(
            Axis::forward(
                shape,
                shape.height,
                shape.out_height(),
                shape.padding.rows[0],
            ),
            Axis::forward(
                shape,
                shape.width,
                shape.out_width(),
                shape.padding.columns[0],
            ),
            (shape.height, shape.width),
            shape.in_channels,
            shape.kernel,
        )
    }

    /// The plan that reads the gradient of the output and writes that of the input.
    pub(crate) fn backward(shape: &ConvShape) -> Self {
        Self::new(
            Axis::backward(
                shape,
                shape.height,
                shape.out_height(),
                shape.padding.rows[0],
            ),
            Axis::backward(
                shape,
                shape.width,
                shape.out_width(),
                shape.padding.columns[0],
            ),
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
                            // Adjacent in the input and in the weights: one longer run.
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

    /// Taps of the kernel.
    pub(crate) fn taps(&self) -> usize {
        self.taps
    }

    /// Which taps, in packed order, are seen by any output pixel. On a map of one pixel, only one
    /// of nine is.
    pub(crate) fn live_taps(&self) -> Vec<bool> {
        let mut live = vec![false; self.taps];
        for run in self.runs.iter().flatten() {
            // At least 1 only because of runs without channels, which are empty.
            let first = run.row / self.channels.max(1);
            let count = run.len / self.channels.max(1);
            live[first..first + count].fill(true);
        }
        live
    }

    /// The output pixels of a range, by class, in ascending order within each class.
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
    /// Its position in the packed weights.
    position: usize,
    /// Distance from the first tap that the class sees, in pixels of the input.
    distance: usize,
}

/// The classes along one side of the image.
#[derive(Debug)]
struct Axis {
    /// The taps of each class, by ascending input pixel.
    classes: Vec<Vec<Tap>>,
    /// For each output pixel, its class and the input pixel of its first tap.
    of: Vec<(usize, usize)>,
}

impl Axis {
    fn forward(shape: &ConvShape, input: usize, output: usize, zeros: usize) -> Self {
        Self::new(output, |pixel| {
            (0..shape.kernel)
                .filter_map(|tap| {
                    let read = (pixel * shape.stride + tap).checked_sub(zeros)?;
                    (read < input).then_some((tap, read))
                })
                .collect()
        })
    }

    fn backward(shape: &ConvShape, input: usize, output: usize, zeros: usize) -> Self {
        let order = backward_order(shape);
        Self::new(input, |pixel| {
            order
                .iter()
                .enumerate()
                .filter_map(|(position, &tap)| {
                    let distance = (pixel + zeros).checked_sub(tap)?;
                    let read = distance / shape.stride;
                    (distance % shape.stride == 0 && read < output).then_some((position, read))
                })
                .collect()
        })
    }

    /// For an output pixel, `taps` gives the positions of its taps and the pixels that they read,
    /// ordered by pixel.
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

/// The taps along an axis in the order in which weights are packed for the gradient of the input:
/// flipped, and with a stride sorted by remainder, so that the taps of one pixel are adjacent.
pub(crate) fn backward_order(shape: &ConvShape) -> Vec<usize> {
    let mut order: Vec<usize> = (0..shape.kernel).collect();
    order.sort_by_key(|&tap| (tap % shape.stride, Reverse(tap)));
    order
}
