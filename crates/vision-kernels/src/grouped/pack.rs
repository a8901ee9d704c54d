//! Weights in the order in which they are read: `[groups][panels][taps, inputs][width of the panel]`.

use rayon::prelude::*;

use crate::conv::{ConvShape, Direction, backward_order};

/// Some neighboring columns of a group: output channels, or with respect to the input its channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Panel {
    /// The first column.
    pub(super) first: usize,
    /// Columns that exist.
    pub(super) len: usize,
    /// 4, 8 or 16, with zeros for those that do not exist.
    pub(super) width: usize,
    /// The place of its first value in the packed weights of a group, divided by the number of rows.
    pub(super) place: usize,
}

/// The panels of a group of this many columns, and the sum of their widths.
pub(super) fn panels(columns: usize) -> (Vec<Panel>, usize) {
    let (mut panels, mut first, mut place) = (Vec::new(), 0, 0);
    while first < columns {
        let width = match columns - first {
            1..=4 => 4,
            5..=8 => 8,
            _ => 16,
        };
        panels.push(Panel {
            first,
            len: width.min(columns - first),
            width,
            place,
        });
        first += width;
        place += width;
    }
    (panels, place)
}

/// The place of the weight of a row and a column, in PyTorch's order within a group.
struct Order {
    /// For each tap in packed order, its place in PyTorch's.
    taps: Vec<usize>,
    inputs: usize,
    outputs: usize,
    direction: Direction,
}

impl Order {
    fn new(group: &ConvShape, direction: Direction) -> Self {
        let axis = match direction {
            Direction::Forward => (0..group.kernel).collect(),
            Direction::Backward => backward_order(group),
        };
        let row = |vertical: &usize| {
            let first = vertical * group.kernel;
            axis.iter().map(|tap| first + tap).collect::<Vec<_>>()
        };
        Self {
            taps: axis.iter().flat_map(row).collect(),
            inputs: group.in_channels,
            outputs: group.out_channels,
            direction,
        }
    }

    /// Rows: taps, and within them channels.
    fn channels(&self) -> usize {
        match self.direction {
            Direction::Forward => self.inputs,
            Direction::Backward => self.outputs,
        }
    }

    fn place(&self, tap: usize, channel: usize, column: usize) -> usize {
        let (output, input) = match self.direction {
            Direction::Forward => (column, channel),
            Direction::Backward => (channel, column),
        };
        (output * self.inputs + input) * self.taps.len() + self.taps[tap]
    }
}

/// Packs `w`, `[out_channels, in_channels / groups, kernel, kernel]`.
pub(super) fn pack(group: &ConvShape, direction: Direction, w: &[f32]) -> Vec<f32> {
    let order = Order::new(group, direction);
    let columns = match direction {
        Direction::Forward => group.out_channels,
        Direction::Backward => group.in_channels,
    };
    let (panels, width) = panels(columns);
    let (channels, len) = (order.channels(), group.weight_len());
    let rows = order.taps.len() * channels;
    let mut packed = vec![0.0; w.len() / len.max(1) * rows * width];
    if packed.is_empty() {
        return packed;
    }
    let groups = packed.par_chunks_mut(rows * width).zip(w.par_chunks(len));
    groups.for_each(|(packed, w)| {
        for panel in &panels {
            let values = &mut packed[panel.place * rows..][..rows * panel.width];
            for (row, values) in values.chunks_exact_mut(panel.width).enumerate() {
                let (tap, channel) = (row / channels, row % channels);
                for (column, value) in values[..panel.len].iter_mut().enumerate() {
                    *value = w[order.place(tap, channel, panel.first + column)];
                }
            }
        }
    });
    packed
}

/// The inverse of forward packing, for one group.
pub(super) fn unpack(group: &ConvShape, packed: &[f32], w: &mut [f32]) {
    let order = Order::new(group, Direction::Forward);
    let (panels, _) = panels(group.out_channels);
    let rows = order.taps.len() * group.in_channels;
    for panel in &panels {
        let values = &packed[panel.place * rows..][..rows * panel.width];
        for (row, values) in values.chunks_exact(panel.width).enumerate() {
            let (tap, channel) = (row / group.in_channels, row % group.in_channels);
            for (column, value) in values[..panel.len].iter().enumerate() {
                w[order.place(tap, channel, panel.first + column)] = *value;
            }
        }
    }
}
