//! Mean pooling over adjacent windows.

use std::ops::Range;

use super::Activations;
use crate::blocks::{Group, for_groups, group};
use crate::error::check_len;
use crate::isa::{Kernel, Lanes, dispatch};
use crate::{Isa, ShapeError, blocks};

/// Mean pooling over adjacent square windows, without padding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MeanPool {
    /// Side of a window, and distance between windows, in pixels.
    pub size: usize,
    /// Whether pixels at the far side that do not fill a window form a smaller one, as with
    /// `ceil_mode` in PyTorch. Its mean is over the pixels that exist.
    pub ceil_mode: bool,
}

impl MeanPool {
    /// The shape of the output.
    ///
    /// # Errors
    ///
    /// If the window's side is 0 or larger than the input's, or the input has no pixels.
    pub fn output(&self, input: &Activations) -> Result<Activations, ShapeError> {
        Ok(Activations {
            height: self.windows(input.height)?,
            width: self.windows(input.width)?,
            ..*input
        })
    }

    fn windows(&self, side: usize) -> Result<usize, ShapeError> {
        if self.size == 0 {
            return Err(ShapeError::Zero { field: "size" });
        }
        let windows = if self.ceil_mode {
            side.div_ceil(self.size)
        } else {
            side / self.size
        };
        if windows == 0 {
            return Err(ShapeError::Length {
                field: "x",
                expected: if self.ceil_mode { 1 } else { self.size },
                found: side,
            });
        }
        Ok(windows)
    }

    /// The pixels of a window along one axis.
    #[inline(always)]
    fn pixels(&self, window: usize, side: usize) -> Range<usize> {
        let start = window * self.size;
        start..start.saturating_add(self.size).min(side)
    }
}

/// The mean of each window. `x` has the shape `input`, `y` the shape [`MeanPool::output`].
///
/// # Errors
///
/// As [`MeanPool::output`], or if a length does not match.
pub fn mean_windows(
    isa: Isa,
    pool: &MeanPool,
    input: &Activations,
    x: &[f32],
    y: &mut [f32],
) -> Result<(), ShapeError> {
    let output = pool.output(input)?;
    check_len("x", input.elements(), x.len())?;
    check_len("y", output.elements(), y.len())?;
    if y.is_empty() {
        return Ok(());
    }
    let tasks = y
        .chunks_mut(output.row())
        .enumerate()
        .map(|(index, y)| Row {
            pool,
            input,
            x: &x[index / output.height * input.height * input.row()..],
            rows: pool.pixels(index % output.height, input.height),
            y,
        })
        .collect();
    blocks::run(tasks, x.len(), |task| dispatch(isa, task));
    Ok(())
}

/// The gradient of [`mean_windows`], from `dy`, the gradient of its output. `dx` has the shape
/// `input`. Pixels in no window get 0.
///
/// # Errors
///
/// As [`MeanPool::output`], or if a length does not match.
pub fn mean_windows_backward(
    isa: Isa,
    pool: &MeanPool,
    input: &Activations,
    dy: &[f32],
    dx: &mut [f32],
) -> Result<(), ShapeError> {
    let output = pool.output(input)?;
    check_len("dy", output.elements(), dy.len())?;
    check_len("dx", input.elements(), dx.len())?;
    if dx.is_empty() {
        return Ok(());
    }
    let elements = dx.len();
    let tasks = dx
        .chunks_mut(input.row())
        .enumerate()
        .map(|(index, dx)| {
            let (image, row) = (index / input.height, index % input.height);
            let window = row / pool.size;
            let dy = (window < output.height).then(|| {
                let start = (image * output.height + window) * output.row();
                &dy[start..start + output.row()]
            });
            BackwardRow {
                pool,
                input,
                height: pool.pixels(window, input.height).len(),
                dy,
                dx,
            }
        })
        .collect();
    blocks::run(tasks, elements, |task| dispatch(isa, task));
    Ok(())
}

/// One row of windows.
struct Row<'a> {
    pool: &'a MeanPool,
    input: &'a Activations,
    /// Begins at the row's image.
    x: &'a [f32],
    /// Rows of the input.
    rows: Range<usize>,
    y: &'a mut [f32],
}

impl Kernel for Row<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self) {
        let channels = self.input.channels;
        let windows = self.y.len() / channels;
        let mut window = Window {
            task: self,
            index: 0,
        };
        for index in 0..windows {
            window.index = index;
            for_groups::<L>(channels, &mut window);
        }
    }
}

struct Window<'a> {
    task: Row<'a>,
    index: usize,
}

impl Group for Window<'_> {
    #[inline(always)]
    fn run<const G: usize>(&mut self, first: usize) {
        let task = &mut self.task;
        let input = task.input;
        let columns = task.pool.pixels(self.index, input.width);
        let count = (task.rows.len() * columns.len()) as f32;
        let mut sum = [0.0; G];
        for row in task.rows.clone() {
            for column in columns.clone() {
                let pixel = row * input.width + column;
                let values: [f32; G] = group(task.x, pixel * input.channels + first);
                for c in 0..G {
                    sum[c] += values[c];
                }
            }
        }
        for sum in &mut sum {
            *sum /= count;
        }
        let start = self.index * input.channels + first;
        task.y[start..start + G].copy_from_slice(&sum);
    }
}

/// One row of the input's gradient.
struct BackwardRow<'a> {
    pool: &'a MeanPool,
    input: &'a Activations,
    /// Height of the windows that contain this row.
    height: usize,
    /// The row of windows that contains this row, if any.
    dy: Option<&'a [f32]>,
    dx: &'a mut [f32],
}

impl Kernel for BackwardRow<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self) {
        let channels = self.input.channels;
        let dy = self.dy.unwrap_or_default();
        for (column, dx) in self.dx.chunks_exact_mut(channels).enumerate() {
            let window = column / self.pool.size;
            let start = window * channels;
            let Some(dy) = dy.get(start..start + channels) else {
                dx.fill(0.0);
                continue;
            };
            let count = (self.height * self.pool.pixels(window, self.input.width).len()) as f32;
            for (dx, dy) in dx.iter_mut().zip(dy) {
                *dx = dy / count;
            }
        }
    }
}
