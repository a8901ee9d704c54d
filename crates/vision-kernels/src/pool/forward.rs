//! Forward pass of max pooling.

use std::ops::Range;

use super::{Activations, MaxPool};
use crate::blocks::{Group, for_groups, greater, group};
use crate::error::check_len;
use crate::isa::{Kernel, Lanes, dispatch};
use crate::{Isa, ShapeError, blocks};

/// The maximum of each window.
///
/// `x` has the shape `input`; `y`, and `argmax` if the backward pass will need it, have the shape
/// [`MaxPool::output`]. `argmax` is the position in the window, counted row by row.
///
/// # Errors
///
/// As [`MaxPool::output`], or if a length does not match.
pub fn max_pool(
    isa: Isa,
    pool: &MaxPool,
    input: &Activations,
    x: &[f32],
    y: &mut [f32],
    argmax: Option<&mut [u8]>,
) -> Result<(), ShapeError> {
    let output = pool.output(input)?;
    check_len("x", input.elements(), x.len())?;
    check_len("y", output.elements(), y.len())?;
    if let Some(argmax) = &argmax {
        check_len("argmax", output.elements(), argmax.len())?;
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
    /// Begins at the row's image.
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
    /// Positions of the maxima in the row. Converted to bytes only when the row is full: the
    /// compiler converts many at once, but earlier it would take the registers of a window apart,
    /// at many times the cost of the pooling.
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
        // In a window of only minus infinities, the first pixel is chosen too.
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
