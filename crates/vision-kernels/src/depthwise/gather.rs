//! Output, and gradient of the input: each target pixel gathers the contributions of its sources.

use std::marker::PhantomData;

use super::DepthwiseShape;
use super::links::{Link, Links};
use crate::Isa;
use crate::blocks::{self, Group, for_groups, group};
use crate::conv::Epilogue;
use crate::isa::{Kernel, Lanes, dispatch};

/// `target = Σ source * weight` over the links of each pixel, then the epilogue.
pub(super) fn gather(
    isa: Isa,
    shape: &DepthwiseShape,
    links: &Links,
    source: &[f32],
    w: &[f32],
    epilogue: &Epilogue<'_>,
    target: &mut [f32],
) {
    if target.is_empty() {
        return;
    }
    let (channels, elements) = (shape.channels, target.len());
    let taps = taps_first(shape, w);
    let (width, height) = (links.columns.len(), links.rows.len());
    let image = links.source_height * links.source_width * channels;
    let tasks = target
        .chunks_mut(width * channels)
        .enumerate()
        .map(|(index, target)| Row {
            channels,
            kernel: shape.kernel,
            source: &source[index / height * image..],
            source_width: links.source_width,
            taps: &taps,
            rows: &links.rows[index % height],
            columns: &links.columns,
            epilogue,
            first_pixel: index * width,
            target,
        })
        .collect();
    blocks::run(tasks, elements, |task| dispatch(isa, task));
}

/// The weights as `[kernel, kernel, channels]`.
fn taps_first(shape: &DepthwiseShape, w: &[f32]) -> Vec<f32> {
    let count = shape.kernel * shape.kernel;
    let mut taps = vec![0.0; w.len()];
    for (c, w) in w.chunks_exact(count).enumerate() {
        for (tap, w) in w.iter().enumerate() {
            taps[tap * shape.channels + c] = *w;
        }
    }
    taps
}

/// One row of the target.
struct Row<'a> {
    channels: usize,
    kernel: usize,
    /// Begins at the row's image.
    source: &'a [f32],
    source_width: usize,
    taps: &'a [f32],
    rows: &'a [Link],
    columns: &'a [Vec<Link>],
    epilogue: &'a Epilogue<'a>,
    /// Index of the row's first pixel, counted over all images.
    first_pixel: usize,
    target: &'a mut [f32],
}

impl Kernel for Row<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self) {
        let (channels, epilogue, first_pixel) = (self.channels, self.epilogue, self.first_pixel);
        let columns = self.columns;
        let mut pixel = Pixel::<L> {
            task: self,
            column: 0,
            lanes: PhantomData,
        };
        for column in 0..columns.len() {
            pixel.column = column;
            for_groups::<L>(channels, &mut pixel);
            let target = &mut pixel.task.target[column * channels..][..channels];
            epilogue.apply::<L, 16>(target, first_pixel + column, channels, 0);
        }
    }
}

struct Pixel<'a, L> {
    task: Row<'a>,
    column: usize,
    lanes: PhantomData<L>,
}

impl<L: Lanes> Group for Pixel<'_, L> {
    #[inline(always)]
    fn run<const G: usize>(&mut self, first: usize) {
        let task = &mut self.task;
        let channels = task.channels;
        let mut sum = [0.0; G];
        for row in task.rows {
            for column in &task.columns[self.column] {
                let pixel = row.source * task.source_width + column.source;
                let tap = row.tap * task.kernel + column.tap;
                let x: [f32; G] = group(task.source, pixel * channels + first);
                let w: [f32; G] = group(task.taps, tap * channels + first);
                for c in 0..G {
                    sum[c] = L::mul_add(x[c], w[c], sum[c]);
                }
            }
        }
        let start = self.column * channels + first;
        task.target[start..start + G].copy_from_slice(&sum);
    }
}
