//! Output, and gradient of the input.

use rayon::prelude::*;

use super::GroupedShape;
use super::pack::{Panel, pack, panels};
use super::regions::{Region, copy, ranges};
use crate::conv::{Direction, Epilogue, Pixel, Plan, Run};
use crate::isa::{Isa, Kernel, Lanes, dispatch};
use crate::microkernel::{Tile, add_rows, panel_rows, with_rows};
use crate::scratch::Scratch;

/// Writes all of `output`, `[pixels, channels]`.
pub(super) fn convolve(
    isa: Isa,
    shape: &GroupedShape,
    direction: Direction,
    input: &[f32],
    w: &[f32],
    epilogue: &Epilogue<'_>,
    output: &mut [f32],
) {
    if output.is_empty() {
        return;
    }
    let (group, conv) = (shape.group(), &shape.conv);
    let (plan, [inputs, outputs], channels, width) = match direction {
        Direction::Forward => (
            Plan::forward(&group),
            [group.in_channels, group.out_channels],
            [conv.in_channels, conv.out_channels],
            conv.out_width(),
        ),
        Direction::Backward => (
            Plan::backward(&group),
            [group.out_channels, group.in_channels],
            [conv.out_channels, conv.in_channels],
            conv.width,
        ),
    };
    if inputs == 0 {
        output.fill(0.0);
    }
    let packed = pack(&group, direction, w);
    let task = Task {
        // Panels of 16 columns are half as wide as AVX-512's.
        isa: if isa == Isa::Avx512 { Isa::Avx2 } else { isa },
        plan: &plan,
        groups: shape.groups,
        channels: (inputs, channels[0]),
        outputs: (outputs, channels[1]),
        panels: &panels(outputs).0,
        packed: &packed,
        input,
        epilogue,
    };
    let mut rest = output;
    let mut parts = Vec::new();
    for range in ranges(rest.len() / channels[1], width) {
        let (part, later) = rest.split_at_mut(range.len() * channels[1]);
        rest = later;
        parts.push((range, part));
    }
    parts
        .into_par_iter()
        .with_max_len(1)
        .for_each(|(range, output)| {
            let first = range.start;
            // Without inputs there is nothing to gather.
            if task.channels.0 > 0 {
                task.run(&Region::new(task.plan, range, task.channels.0), output);
            }
            let finish = Finish {
                epilogue: task.epilogue,
                channels: task.outputs.1,
                first,
                output,
            };
            dispatch(task.isa, finish);
        });
}

struct Task<'a> {
    isa: Isa,
    plan: &'a Plan,
    groups: usize,
    /// Of the array that is read: of a group, and all.
    channels: (usize, usize),
    /// Of the array that is written.
    outputs: (usize, usize),
    panels: &'a [Panel],
    packed: &'a [f32],
    input: &'a [f32],
    epilogue: &'a Epilogue<'a>,
}

impl Task<'_> {
    fn run(&self, region: &Region, output: &mut [f32]) {
        let (inputs, channels) = self.channels;
        let values = &self.input[region.reads.start * channels..region.reads.end * channels];
        let mut copies = Scratch::take(region.reads.len() * inputs);
        let packed = self.packed.len() / self.groups;
        for (group, packed) in self.packed.chunks_exact(packed).enumerate() {
            let copying = Copying {
                values,
                channels,
                part: (group * inputs, inputs),
                copies: &mut copies,
            };
            dispatch(self.isa, copying);
            let rows = packed.len() / self.panels.iter().map(|panel| panel.width).sum::<usize>();
            for panel in self.panels {
                let weights = &packed[panel.place * rows..][..rows * panel.width];
                for (runs, pixels) in self.plan.runs().iter().zip(&region.classes) {
                    let sums = Sums {
                        runs,
                        input: &copies,
                        weights,
                        pixels,
                        output,
                        channels: self.outputs.1,
                        first: group * self.outputs.0 + panel.first,
                        len: panel.len,
                    };
                    sums.write(self.isa, panel.width);
                }
            }
        }
    }
}

struct Copying<'a> {
    values: &'a [f32],
    channels: usize,
    part: (usize, usize),
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
            self.part.1,
            self.copies,
        );
    }
}

/// The epilogue of a region.
struct Finish<'a> {
    epilogue: &'a Epilogue<'a>,
    channels: usize,
    first: usize,
    output: &'a mut [f32],
}

impl Kernel for Finish<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self) {
        for (pixel, values) in self.output.chunks_exact_mut(self.channels).enumerate() {
            self.epilogue.apply_all::<L>(values, self.first + pixel);
        }
    }
}

/// The sums of one panel, for the pixels of a class.
struct Sums<'a, 'b> {
    runs: &'a [Run],
    input: &'a [f32],
    weights: &'a [f32],
    pixels: &'a [Pixel],
    output: &'b mut [f32],
    channels: usize,
    /// The first channel that is written, and how many are.
    first: usize,
    len: usize,
}

impl Sums<'_, '_> {
    fn write(self, isa: Isa, width: usize) {
        match width {
            4 => self.by_width::<4>(isa),
            8 => self.by_width::<8>(isa),
            _ => self.by_width::<16>(isa),
        }
    }

    fn by_width<const PANEL: usize>(self, isa: Isa) {
        // Without a fused operation 3 rows of 16 are the most that stay in registers.
        if isa == Isa::Portable && PANEL == 16 {
            self.by_rows::<PANEL, 3>(isa);
        } else {
            self.by_rows::<PANEL, 6>(isa);
        }
    }

    fn by_rows<const PANEL: usize, const MR: usize>(self, isa: Isa) {
        let whole = self.pixels.len() / MR * MR;
        let (pixels, rest) = self.pixels.split_at(whole);
        dispatch(
            isa,
            Tiles::<PANEL, MR>(Sums {
                pixels,
                output: &mut *self.output,
                ..self
            }),
        );
        // Each number of rows is a function of its own, see `dispatch_rows`.
        with_rows!(rest.len(), |ROWS| dispatch(
            isa,
            Tiles::<PANEL, ROWS>(Sums {
                pixels: rest,
                ..self
            })
        ));
    }
}

/// Tiles of `MR` pixels.
struct Tiles<'a, 'b, const PANEL: usize, const MR: usize>(Sums<'a, 'b>);

impl<const PANEL: usize, const MR: usize> Kernel for Tiles<'_, '_, PANEL, MR> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self) {
        match (L::WIDTH, PANEL) {
            (8 | 16, 16) => tiles::<L, 8, 2, MR>(self.0),
            (8 | 16, 8) => tiles::<L, 8, 1, MR>(self.0),
            (4, 16) => tiles::<L, 4, 4, MR>(self.0),
            (4, 8) => tiles::<L, 4, 2, MR>(self.0),
            _ => tiles::<L, 4, 1, MR>(self.0),
        }
    }
}

#[inline(always)]
fn tiles<L: Lanes, const W: usize, const NV: usize, const MR: usize>(task: Sums<'_, '_>) {
    let panel = NV * W;
    for pixels in task.pixels.as_chunks::<MR>().0 {
        let mut tile: Tile<W, NV, MR> = [[[0.0; W]; NV]; MR];
        for run in task.runs {
            let weights = &task.weights[run.row * panel..(run.row + run.len) * panel];
            let row = |m: usize| &task.input[pixels[m].base + run.offset..][..run.len];
            add_rows::<L, W, NV, MR>(&mut tile, std::array::from_fn(row), panel_rows(weights));
        }
        for (pixel, sums) in pixels.iter().zip(&tile) {
            let values = &mut task.output[pixel.index * task.channels + task.first..][..task.len];
            let (vectors, rest) = values.as_chunks_mut::<W>();
            for (vector, sums) in vectors.iter_mut().zip(sums) {
                *vector = *sums;
            }
            let done = task.len / W;
            for (value, sum) in rest.iter_mut().zip(sums.iter().skip(done).flatten()) {
                *value = *sum;
            }
        }
    }
}
