//! Max pooling over windows.
//!
//! As in PyTorch padding counts as minus infinity, of equal values the first one (in row order) is taken,
//! and NaN is greater than anything: the last NaN of a window is taken.
//!
//! ```
//! use vision_kernels::{Isa, pool::{Activations, MaxPool, max_pool, max_pool_backward}};
//!
//! let pool = MaxPool { kernel: [2, 2], stride: [2, 2], padding: [0, 0], ceil_mode: false };
//! let input = Activations { batch: 1, height: 2, width: 4, channels: 1 };
//! let x = [1.0, 2.0, 5.0, 0.0,
//!          4.0, 3.0, 0.0, 5.0];
//! let (mut y, mut argmax, mut dx) = ([0.0; 2], [0; 2], [0.0; 8]);
//! max_pool(Isa::detect(), &pool, &input, &x, &mut y, Some(&mut argmax))?;
//! assert_eq!((y, argmax), ([4.0, 5.0], [2, 0]));
//! max_pool_backward(Isa::detect(), &pool, &input, &[1.0, 2.0], &argmax, &mut dx)?;
//! assert_eq!(dx, [0.0, 0.0, 2.0, 0.0, 1.0, 0.0, 0.0, 0.0]);
//! # Ok::<(), vision_kernels::ShapeError>(())
//! ```

use crate::{
    Isa, ShapeError, blocks,
    blocks::{Group, for_groups, greater, group},
    error::expect,
    isa::{Kernel, Lanes, dispatch},
};
use std::ops::Range;

/// The shape of activations in channels-last order, `[batch, height, width, channels]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Activations {
    /// Images.
    pub batch: usize,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// Channels.
    pub channels: usize,
}

impl Activations {
    /// How many values there are.
    pub fn elements(&self) -> usize {
        // More than fits is no slice's length, which is what this is compared with.
        (self.batch.saturating_mul(self.height))
            .saturating_mul(self.width)
            .saturating_mul(self.channels)
    }

    /// Values of one row of one image.
    fn row(&self) -> usize {
        self.width * self.channels
    }
}

/// A max pooling. Pairs are vertical, horizontal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MaxPool {
    /// The window: at most 256 pixels.
    pub kernel: [usize; 2],
    /// The distance between windows.
    pub stride: [usize; 2],
    /// What is added on each side: at most half the window.
    pub padding: [usize; 2],
    /// Whether windows may reach beyond the far side, as `ceil_mode` in PyTorch.
    pub ceil_mode: bool,
}

impl MaxPool {
    /// The shape of the output.
    ///
    /// # Errors
    ///
    /// If the window or the stride is 0, the window too large for its index to fit a byte, the padding
    /// more than half the window, or the input smaller than the window.
    pub fn output(&self, input: &Activations) -> Result<Activations, ShapeError> {
        let [area, bound] = [self.kernel[0].saturating_mul(self.kernel[1]), 256];
        if area > bound {
            expect("kernel", bound, area)?;
        }
        Ok(Activations {
            height: self.windows(0, input.height)?,
            width: self.windows(1, input.width)?,
            ..*input
        })
    }

    /// Windows along one axis.
    fn windows(&self, axis: usize, size: usize) -> Result<usize, ShapeError> {
        let (kernel, stride, padding) = (self.kernel[axis], self.stride[axis], self.padding[axis]);
        expect("kernel", kernel.max(1), kernel)?;
        expect("stride", stride.max(1), stride)?;
        expect("padding", padding.min(kernel / 2), padding)?;
        let padded = size.saturating_add(2 * padding);
        let room = padded.checked_sub(kernel);
        let room = room.filter(|_| size > 0).ok_or(ShapeError {
            argument: "x",
            expected: (kernel - 2 * padding).max(1),
            found: size,
        })?;
        if !self.ceil_mode {
            return Ok(room / stride + 1);
        }
        let windows = room.div_ceil(stride) + 1;
        // A window that begins in the far padding would see nothing.
        let seen = (windows - 1) * stride < size + padding;
        Ok(if seen { windows } else { windows - 1 })
    }

    /// The taps of window `index` that lie inside the input, along one axis.
    #[inline(always)]
    fn taps(&self, axis: usize, index: usize, size: usize) -> Range<usize> {
        let start = index * self.stride[axis];
        let first = self.padding[axis].saturating_sub(start);
        let end = (size + self.padding[axis] - start).min(self.kernel[axis]);
        first..end
    }

    /// The windows that see position `index` of the input, along one axis.
    #[inline(always)]
    fn seen_by(&self, axis: usize, index: usize, windows: usize) -> Range<usize> {
        let padded = index + self.padding[axis];
        let first = (padded + 1)
            .saturating_sub(self.kernel[axis])
            .div_ceil(self.stride[axis]);
        first..(padded / self.stride[axis] + 1).min(windows)
    }
}

/// The greatest value of each window.
///
/// `x` is of shape `input`; `y`, and `argmax` where the backward pass will need it, are of shape
/// [`MaxPool::output`]. `argmax` is the place in the window, counted row by row.
///
/// # Errors
///
/// As [`MaxPool::output`], or if a length does not fit.
pub fn max_pool(
    isa: Isa,
    pool: &MaxPool,
    input: &Activations,
    x: &[f32],
    y: &mut [f32],
    argmax: Option<&mut [u8]>,
) -> Result<(), ShapeError> {
    let output = pool.output(input)?;
    expect("x", input.elements(), x.len())?;
    expect("y", output.elements(), y.len())?;
    if let Some(argmax) = &argmax {
        expect("argmax", output.elements(), argmax.len())?;
    }
    if y.is_empty() {
        return Ok(());
    }
    let size = output.row();
    let tasks: Vec<_> = y
        .chunks_mut(size)
        .zip(blocks::optional_mut(argmax, size))
        .enumerate()
        .map(|(index, (y, argmax))| Row {
            pool,
            input,
            x: &x[index / output.height * input.height * input.row()..],
            row: index % output.height,
            y,
            argmax,
        })
        .collect();
    blocks::run(tasks, x.len(), |task| dispatch(isa, task));
    Ok(())
}

/// One row of windows.
struct Row<'a> {
    pool: &'a MaxPool,
    input: &'a Activations,
    /// From the row's image on.
    x: &'a [f32],
    row: usize,
    y: &'a mut [f32],
    argmax: Option<&'a mut [u8]>,
}

impl Kernel for Row<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self) {
        let channels = self.input.channels;
        let vertical = self.pool.taps(0, self.row, self.input.height);
        let windows = self.y.len() / channels;
        let mut window = Window {
            places: vec![0; self.y.len()],
            task: self,
            column: 0,
            vertical,
            horizontal: 0..0,
        };
        for column in 0..windows {
            window.column = column;
            window.horizontal = (window.task.pool).taps(1, column, window.task.input.width);
            for_groups::<L>(channels, &mut window);
        }
        if let Some(argmax) = window.task.argmax {
            for (argmax, place) in argmax.iter_mut().zip(&window.places) {
                *argmax = *place as u8;
            }
        }
    }
}

struct Window<'a> {
    task: Row<'a>,
    /// Of the row. Made bytes only when it is full: the compiler does that to many at once, but would
    /// take the registers of a window apart, at a cost of many times the pooling.
    places: Vec<u32>,
    column: usize,
    vertical: Range<usize>,
    horizontal: Range<usize>,
}

impl Group for Window<'_> {
    #[inline(always)]
    fn run<const G: usize>(&mut self, first: usize) {
        let Row {
            pool,
            input,
            x,
            row,
            y,
            ..
        } = &mut self.task;
        let top = *row * pool.stride[0];
        let left = self.column * pool.stride[1];
        // Of nothing but minus infinities the first one is taken, too.
        let first_tap = self.vertical.start * pool.kernel[1] + self.horizontal.start;
        let mut best = ([f32::NEG_INFINITY; G], [first_tap as u32; G]);
        for i in self.vertical.clone() {
            for j in self.horizontal.clone() {
                let pixel = (top + i - pool.padding[0]) * input.width + left + j - pool.padding[1];
                let values: [f32; G] = group(x, pixel * input.channels + first);
                best = greater(best, values, (i * pool.kernel[1] + j) as u32);
            }
        }
        let start = self.column * input.channels + first;
        y[start..start + G].copy_from_slice(&best.0);
        self.places[start..start + G].copy_from_slice(&best.1);
    }
}

/// The gradient of [`max_pool`], given `dy`, that of its output.
///
/// Each pixel of `dx` gathers what the windows that chose it hand back, so that pixels do not depend
/// on each other. `dx` is of shape `input`; `dy` and `argmax` are of shape [`MaxPool::output`].
///
/// # Errors
///
/// As [`MaxPool::output`], or if a length does not fit.
pub fn max_pool_backward(
    isa: Isa,
    pool: &MaxPool,
    input: &Activations,
    dy: &[f32],
    argmax: &[u8],
    dx: &mut [f32],
) -> Result<(), ShapeError> {
    let output = pool.output(input)?;
    expect("dy", output.elements(), dy.len())?;
    expect("argmax", output.elements(), argmax.len())?;
    expect("dx", input.elements(), dx.len())?;
    if dx.is_empty() {
        return Ok(());
    }
    let elements = dx.len();
    let image = output.height * output.row();
    let tasks = dx
        .chunks_mut(input.row())
        .enumerate()
        .map(|(index, dx)| BackwardRow {
            pool,
            output: &output,
            dy: &dy[index / input.height * image..],
            argmax: &argmax[index / input.height * image..],
            row: index % input.height,
            dx,
        })
        .collect();
    blocks::run(tasks, elements, |task| dispatch(isa, task));
    Ok(())
}

/// One row of the input's gradient.
struct BackwardRow<'a> {
    pool: &'a MaxPool,
    output: &'a Activations,
    /// From the row's image on.
    dy: &'a [f32],
    argmax: &'a [u8],
    row: usize,
    dx: &'a mut [f32],
}

impl Kernel for BackwardRow<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self) {
        let channels = self.output.channels;
        let vertical = self.pool.seen_by(0, self.row, self.output.height);
        let columns = self.dx.len() / channels;
        let mut pixel = Pixel {
            task: self,
            column: 0,
            vertical,
            horizontal: 0..0,
        };
        for column in 0..columns {
            pixel.column = column;
            pixel.horizontal = (pixel.task.pool).seen_by(1, column, pixel.task.output.width);
            for_groups::<L>(channels, &mut pixel);
        }
    }
}

struct Pixel<'a> {
    task: BackwardRow<'a>,
    column: usize,
    vertical: Range<usize>,
    horizontal: Range<usize>,
}

impl Group for Pixel<'_> {
    #[inline(always)]
    fn run<const G: usize>(&mut self, first: usize) {
        let task = &mut self.task;
        let (pool, output) = (task.pool, task.output);
        let mut sum = [0.0; G];
        for i in self.vertical.clone() {
            for j in self.horizontal.clone() {
                let row = task.row + pool.padding[0] - i * pool.stride[0];
                let column = self.column + pool.padding[1] - j * pool.stride[1];
                let tap = (row * pool.kernel[1] + column) as u32;
                let start = (i * output.width + j) * output.channels + first;
                let dy: [f32; G] = group(task.dy, start);
                let place: [u8; G] = group(task.argmax, start);
                for c in 0..G {
                    sum[c] += if u32::from(place[c]) == tap {
                        dy[c]
                    } else {
                        0.0
                    };
                }
            }
        }
        let start = self.column * output.channels + first;
        task.dx[start..start + G].copy_from_slice(&sum);
    }
}
