//! Gradient of the weights: for each tap, a sum over output pixels.

use super::DepthwiseShape;
use super::links::{Link, Links};
use crate::isa::{Kernel, Lanes, dispatch};
use crate::{Isa, blocks};

/// Writes all of `dw`, `[channels, 1, kernel, kernel]`.
pub(super) fn backward_weight(
    isa: Isa,
    shape: &DepthwiseShape,
    x: &[f32],
    dy: &[f32],
    dw: &mut [f32],
) {
    let channels = shape.channels;
    if dy.is_empty() || x.is_empty() {
        dw.fill(0.0);
        return;
    }
    let links = Links::forward(shape);
    let row = links.columns.len() * channels;
    // The partition depends on the shape alone, so that sums do not depend on the number of
    // threads.
    let rows = (blocks::pixels_per_sum(channels) / links.columns.len()).max(1);
    let tasks = dy
        .chunks(rows * row)
        .enumerate()
        .map(|(index, dy)| Rows {
            shape,
            links: &links,
            x,
            first_row: index * rows,
            dy,
        })
        .collect();
    let parts = blocks::run(tasks, dy.len(), |task| dispatch(isa, task));
    let mut total = vec![0.0_f64; dw.len()];
    for part in parts {
        for (total, value) in total.iter_mut().zip(part) {
            *total += f64::from(value);
        }
    }
    let count = shape.kernel * shape.kernel;
    for (c, dw) in dw.chunks_exact_mut(count).enumerate() {
        for (tap, dw) in dw.iter_mut().enumerate() {
            *dw = total[tap * channels + c] as f32;
        }
    }
}

/// Some rows of the output, of one or more images.
struct Rows<'a> {
    shape: &'a DepthwiseShape,
    links: &'a Links,
    x: &'a [f32],
    /// Counted over all images.
    first_row: usize,
    dy: &'a [f32],
}

impl Kernel for Rows<'_> {
    /// `[kernel, kernel, channels]`.
    type Output = Vec<f32>;

    #[inline(always)]
    fn run<L: Lanes>(self) -> Vec<f32> {
        let (channels, links) = (self.shape.channels, self.links);
        let mut sums = vec![0.0; self.shape.weight_len()];
        let rows = self.dy.chunks_exact(links.columns.len() * channels);
        for (index, dy) in rows.enumerate() {
            let index = self.first_row + index;
            let first_source = index / links.rows.len() * links.source_height;
            for link in &links.rows[index % links.rows.len()] {
                let source = first_source + link.source;
                let row = links.source_width * channels;
                let x = &self.x[source * row..][..row];
                let first_tap = link.tap * self.shape.kernel;
                for (dy, columns) in dy.chunks_exact(channels).zip(&links.columns) {
                    add_pixel::<L>(&mut sums, x, dy, first_tap, columns);
                }
            }
        }
        sums
    }
}

/// Adds the contribution of one output pixel and one row of the input.
#[inline(always)]
fn add_pixel<L: Lanes>(
    sums: &mut [f32],
    x: &[f32],
    dy: &[f32],
    first_tap: usize,
    columns: &[Link],
) {
    let channels = dy.len();
    for link in columns {
        let x = &x[link.source * channels..][..channels];
        let sums = &mut sums[(first_tap + link.tap) * channels..][..channels];
        for ((sum, &x), &dy) in sums.iter_mut().zip(x).zip(dy) {
            *sum = L::mul_add(x, dy, *sum);
        }
    }
}
