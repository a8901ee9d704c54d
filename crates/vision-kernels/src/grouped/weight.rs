//! Gradient of the weights: for each tap, a sum of outer products over output pixels.

use std::ops::Range;

use rayon::prelude::*;

use super::GroupedShape;
use super::pack::{Panel, panels, unpack};
use super::regions::{Region, copy, ranges};
use crate::conv::{ConvShape, Pixel, Plan, Run, add_parts};
use crate::isa::{Isa, Kernel, Lanes, dispatch};
use crate::scratch::Scratch;

/// Desired number of tasks.
const TASKS: usize = 32;
/// Largest number of values in all partial sums together.
const FEW_SUMS: usize = 1 << 20;

/// Writes all of `dw`, `[out_channels, in_channels / groups, kernel, kernel]`.
pub(super) fn backward_weight(
    isa: Isa,
    shape: &GroupedShape,
    x: &[f32],
    dy: &[f32],
    dw: &mut [f32],
) {
    if dw.is_empty() {
        return;
    }
    let (group, conv) = (shape.group(), &shape.conv);
    let plan = Plan::forward(&group);
    let (panels, width) = panels(group.out_channels);
    let len = group.taps() * group.in_channels * width;
    let ranges = ranges(dy.len() / conv.out_channels, conv.out_width());
    // The partition depends on the shape alone, so that sums do not depend on the number of threads.
    let most = (FEW_SUMS / (len * shape.groups)).clamp(1, ranges.len().max(1));
    let parts = most.min(TASKS);
    let together = (shape.groups * parts).div_ceil(TASKS);
    let step = ranges.len().div_ceil(parts).max(1);
    let mut sums = Scratch::zeros(parts * len * shape.groups);
    let mut tasks = Vec::new();
    for (part, sums) in sums.chunks_mut(len * shape.groups).enumerate() {
        let start = ranges.len().min(part * step);
        let ranges = &ranges[start..ranges.len().min(start + step)];
        for (chunk, sums) in sums.chunks_mut(len * together).enumerate() {
            tasks.push(Task {
                isa: if isa == Isa::Avx512 { Isa::Avx2 } else { isa },
                plan: &plan,
                conv,
                group: &group,
                panels: &panels,
                ranges,
                first_group: chunk * together,
                x,
                dy,
                sums,
                len,
            });
        }
    }
    tasks.into_par_iter().with_max_len(1).for_each(Task::run);
    add_parts(&mut sums, len * shape.groups);
    dw.par_chunks_mut(group.weight_len())
        .zip(sums[..len * shape.groups].par_chunks(len))
        .for_each(|(dw, sums)| unpack(&group, sums, dw));
}

/// Some groups of some regions.
struct Task<'a> {
    isa: Isa,
    plan: &'a Plan,
    conv: &'a ConvShape,
    group: &'a ConvShape,
    panels: &'a [Panel],
    ranges: &'a [Range<usize>],
    first_group: usize,
    x: &'a [f32],
    dy: &'a [f32],
    /// `[groups][panels][taps, inputs][width of the panel]`.
    sums: &'a mut [f32],
    /// Sums of a group.
    len: usize,
}

impl Task<'_> {
    fn run(self) {
        let (inputs, outputs) = (self.group.in_channels, self.group.out_channels);
        let rows = self.group.taps() * inputs;
        for range in self.ranges {
            let region = Region::new(self.plan, range.clone(), inputs);
            let reads = region.reads.start * self.conv.in_channels
                ..region.reads.end * self.conv.in_channels;
            let (x, dy) = (
                &self.x[reads],
                &self.dy[range.start * self.conv.out_channels..range.end * self.conv.out_channels],
            );
            let mut inputs_of_group = Scratch::take(region.reads.len() * inputs);
            // Columns that do not exist stay 0.
            let mut gradients = Scratch::zeros(range.len() * 16);
            for (at, sums) in self.sums.chunks_mut(self.len).enumerate() {
                let group = self.first_group + at;
                let copying = Copying {
                    values: x,
                    channels: self.conv.in_channels,
                    part: (group * inputs, inputs),
                    width: inputs,
                    copies: &mut inputs_of_group,
                };
                dispatch(self.isa, copying);
                for panel in self.panels {
                    if panel.len < panel.width {
                        gradients.fill(0.0);
                    }
                    let copying = Copying {
                        values: dy,
                        channels: self.conv.out_channels,
                        part: (group * outputs + panel.first, panel.len),
                        width: panel.width,
                        copies: &mut gradients[..range.len() * panel.width],
                    };
                    dispatch(self.isa, copying);
                    let sums = &mut sums[panel.place * rows..][..rows * panel.width];
                    for (runs, pixels) in self.plan.runs().iter().zip(&region.classes) {
                        let class = Class {
                            runs,
                            pixels,
                            inputs: &inputs_of_group,
                            gradients: &gradients,
                            sums: &mut *sums,
                        };
                        match panel.width {
                            4 => dispatch(self.isa, ByPanel::<4>(class)),
                            8 => dispatch(self.isa, ByPanel::<8>(class)),
                            _ => dispatch(self.isa, ByPanel::<16>(class)),
                        }
                    }
                }
            }
        }
    }
}

struct Copying<'a> {
    values: &'a [f32],
    channels: usize,
    part: (usize, usize),
    width: usize,
    copies: &'a mut [f32],
}

impl Kernel for Copying<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self) {
        copy(
            self.values,
            self.channels,
            self.part,
            self.width,
            self.copies,
        );
    }
}

/// The contribution of the pixels of a class to one panel.
struct Class<'a> {
    runs: &'a [Run],
    pixels: &'a [Pixel],
    inputs: &'a [f32],
    gradients: &'a [f32],
    sums: &'a mut [f32],
}

struct ByPanel<'a, const PANEL: usize>(Class<'a>);

impl<const PANEL: usize> Kernel for ByPanel<'_, PANEL> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self) {
        // Eight sums in registers, or twelve.
        if PANEL == 16 {
            add::<L, PANEL, 4>(self.0);
        } else {
            add::<L, PANEL, 8>(self.0);
        }
    }
}

#[inline(always)]
fn add<L: Lanes, const PANEL: usize, const MR: usize>(class: Class<'_>) {
    if class.pixels.is_empty() {
        return;
    }
    let gradients = class.gradients.as_chunks::<PANEL>().0;
    let sums = class.sums.as_chunks_mut::<PANEL>().0;
    for run in class.runs {
        let sums = &mut sums[run.row..run.row + run.len];
        let (tiles, rest) = sums.as_chunks_mut::<MR>();
        let mut first = run.offset;
        for tile in tiles {
            outer::<L, PANEL, MR>(tile, class.inputs, first, gradients, class.pixels);
            first += MR;
        }
        for row in rest {
            let tile = std::array::from_mut(row);
            outer::<L, PANEL, 1>(tile, class.inputs, first, gradients, class.pixels);
            first += 1;
        }
    }
}

/// `sums[m] += input[m] * gradients` of all pixels.
#[inline(always)]
fn outer<L: Lanes, const PANEL: usize, const MR: usize>(
    sums: &mut [[f32; PANEL]; MR],
    inputs: &[f32],
    first: usize,
    gradients: &[[f32; PANEL]],
    pixels: &[Pixel],
) {
    let mut tile = *sums;
    for pixel in pixels {
        let values = &inputs[pixel.base + first..][..MR];
        let gradient = &gradients[pixel.index];
        for m in 0..MR {
            for c in 0..PANEL {
                tile[m][c] = L::mul_add(values[m], gradient[c], tile[m][c]);
            }
        }
    }
    *sums = tile;
}
