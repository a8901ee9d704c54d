//! Backward pass of max pooling.

use std::ops::Range;

use super::{Activations, MaxPool};
use crate::blocks::{Group, for_groups, group};
use crate::error::check_len;
use crate::isa::{Kernel, Lanes, dispatch};
use crate::{Isa, ShapeError, blocks};

/// The gradient of [`max_pool`](super::max_pool), from `dy`, the gradient of its output.
///
/// Each pixel of `dx` gathers the gradients of the windows that chose it, so pixels do not depend
/// on each other. `dx` has the shape `input`; `dy` and `argmax` have the shape [`MaxPool::output`].
///
/// # Errors
///
/// As [`MaxPool::output`], or if a length does not match.
pub fn max_pool_backward(
    isa: Isa,
    pool: &MaxPool,
    input: &Activations,
    dy: &[f32],
    argmax: &[u8],
    dx: &mut [f32],
) -> Result<(), ShapeError> {
    let output = pool.output(input)?;
    check_len("dy", output.elements(), dy.len())?;
    check_len("argmax", output.elements(), argmax.len())?;
    check_len("dx", input.elements(), dx.len())?;
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
    /// Begins at the row's image.
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
