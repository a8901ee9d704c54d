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

/// The taps in packed order, as places in PyTorch's.
fn order(group: &ConvShape, direction: Direction) -> Vec<usize> {
    let axis = match direction {
        Direction::Forward => (0..group.kernel).collect(),
        Direction::Backward => backward_order(group),
    };
    let row = |vertical: &usize| {
        let first = vertical * group.kernel;
        axis.iter().map(|tap| first + tap).collect::<Vec<_>>()
    };
    axis.iter().flat_map(row).collect()
}

/// Packs `w`, `[out_channels, in_channels / groups, kernel, kernel]`.
pub(super) fn pack(group: &ConvShape, direction: Direction, w: &[f32]) -> Vec<f32> {
    let order = order(group, direction);
    let (inputs, outputs) = (group.in_channels, group.out_channels);
    // Within a tap, the rows are the channels that are read.
    let (channels, columns) = match direction {
        Direction::Forward => (inputs, outputs),
        Direction::Backward => (outputs, inputs),
    };
    let (panels, width) = panels(columns);
    let (taps, len) = (order.len(), group.weight_len());
    let rows = taps * channels;
    let mut packed = vec![0.0; w.len() / len.max(1) * rows * width];
    if packed.is_empty() {
        return packed;
    }
    let groups = packed.par_chunks_mut(rows * width).zip(w.par_chunks(len));
    groups.for_each(|(packed, w)| {
        for panel in &panels {
            let values = &mut packed[panel.place * rows..][..rows * panel.width];
            for column in 0..panel.len {
                for channel in 0..channels {
                    let (output, input) = match direction {
                        Direction::Forward => (panel.first + column, channel),
                        Direction::Backward => (channel, panel.first + column),
                    };
                    let w = &w[(output * inputs + input) * taps..][..taps];
                    let rows = values.chunks_exact_mut(channels * panel.width);
                    for (values, &tap) in rows.zip(&order) {
                        values[channel * panel.width + column] = w[tap];
                    }
                }
            }
        }
    });
    packed
}

/// The inverse of forward packing, for one group.
pub(super) fn unpack(group: &ConvShape, packed: &[f32], w: &mut [f32]) {
    let (inputs, taps) = (group.in_channels, group.taps());
    let rows = taps * inputs;
    for panel in &panels(group.out_channels).0 {
        let values = &packed[panel.place * rows..][..rows * panel.width];
        for column in 0..panel.len {
            for input in 0..inputs {
                let start = ((panel.first + column) * inputs + input) * taps;
                let rows = values.chunks_exact(inputs * panel.width);
                for (w, values) in w[start..start + taps].iter_mut().zip(rows) {
                    *w = values[input * panel.width + column];
                }
            }
        }
    }
}
