//! Packing of weights into the order in which the micro-kernel reads them.
//!
//! The order is `[blocks][rows][panel]`. A block is as many output channels as a tile has columns;
//! the last block is padded with zeros whose results are never written. A row is one tap of one
//! input channel, with taps as the outer loop. For the gradient of the input the channels swap
//! roles, and the taps are in [`backward_order`].

use std::ops::Range;

use rayon::prelude::*;

use super::ConvShape;
use super::classes::backward_order;
use crate::scratch::Scratch;

/// Columns that are transposed together, in a buffer that fits into L1. In place, the rows of a
/// panel and the weights of an output channel are so far apart that they would evict each other.
const COLUMNS: usize = 16;

/// Values of one tap in that buffer, for 32 input channels. A kernel with a single tap takes 256,
/// so that a kilobyte of each output channel's weights is read at once there too.
const TAP: usize = 32 * COLUMNS;
const ONLY_TAP: usize = 256 * COLUMNS;

/// `0..len` in ranges of `size`; the last range can be shorter.
fn blocks_of(size: usize, len: usize) -> impl Iterator<Item = Range<usize>> {
    (0..len)
        .step_by(size)
        .map(move |start| start..len.min(start + size))
}

/// Direction of a convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    /// From input to output.
    Forward,
    /// From the gradient of the output to that of the input.
    Backward,
}

/// Packs weights, block by block.
pub(crate) struct Packer<'a> {
    weights: &'a [f32],
    panel: usize,
    /// `[out_channels, in_channels]`.
    channels: (usize, usize),
    direction: Direction,
    /// For each tap in packed order, its position in PyTorch's order.
    order: Vec<usize>,
    /// For each tap in packed order, whether it is used. The rows of unused taps are not written.
    live: Vec<bool>,
}

impl<'a> Packer<'a> {
    /// Packs weights `[out_channels, in_channels, kernel, kernel]`.
    pub(crate) fn new(
        shape: &ConvShape,
        direction: Direction,
        panel: usize,
        weights: &'a [f32],
    ) -> Self {
        let axis = match direction {
            Direction::Forward => (0..shape.kernel).collect(),
            Direction::Backward => backward_order(shape),
        };
        let row = |vertical: &usize| {
            let first = vertical * shape.kernel;
            axis.iter()
                .map(|horizontal| first + horizontal)
                .collect::<Vec<_>>()
        };
        Self {
            weights,
            panel,
            channels: (shape.out_channels, shape.in_channels),
            direction,
            order: axis.iter().flat_map(row).collect(),
            live: vec![true; shape.taps()],
        }
    }

    /// Skips taps, in packed order, that are not used.
    pub(crate) fn only(self, live: Vec<bool>) -> Self {
        Self { live, ..self }
    }

    /// Channels of the array that is read: the rows of a tap.
    pub(crate) fn inputs(&self) -> usize {
        match self.direction {
            Direction::Forward => self.channels.1,
            Direction::Backward => self.channels.0,
        }
    }

    /// Blocks of channels of the array that is written.
    pub(crate) fn blocks(&self) -> usize {
        let outputs = match self.direction {
            Direction::Forward => self.channels.0,
            Direction::Backward => self.channels.1,
        };
        outputs.div_ceil(self.panel)
    }

    /// Values of a block.
    pub(crate) fn block_len(&self) -> usize {
        self.order.len() * self.inputs() * self.panel
    }

    /// All blocks.
    pub(crate) fn pack(&self) -> Scratch {
        let mut packed = Scratch::take(self.blocks() * self.block_len());
        if !packed.is_empty() {
            packed
                .par_chunks_mut(self.block_len())
                .enumerate()
                .for_each(|(block, packed)| self.pack_block(block, packed));
        }
        packed
    }

    /// Writes all of one block.
    pub(crate) fn pack_block(&self, block: usize, packed: &mut [f32]) {
        match self.direction {
            Direction::Forward if self.order.len() == 1 => {
                self.forward_block::<ONLY_TAP>(block, packed);
            }
            Direction::Forward => self.forward_block::<TAP>(block, packed),
            Direction::Backward => self.backward_block(block, packed),
        }
    }

    fn forward_block<const TAP: usize>(&self, block: usize, packed: &mut [f32]) {
        let ((outputs, channels), taps, panel) = (self.channels, self.order.len(), self.panel);
        let first = block * panel;
        let filled = panel.min(outputs - first);
        if filled < panel {
            packed.fill(0.0);
        }
        let live: Vec<usize> = (0..taps).filter(|&tap| self.live[tap]).collect();
        let mut buffer = Scratch::take(taps * TAP);
        let (buffer, _) = buffer.as_chunks_mut::<TAP>();
        for columns in blocks_of(COLUMNS, filled) {
            if columns.len() < COLUMNS {
                buffer.iter_mut().for_each(|tap| tap.fill(0.0));
            }
            for inputs in blocks_of(TAP / COLUMNS, channels) {
                for (column, output) in columns.clone().enumerate() {
                    let start = ((first + output) * channels + inputs.start) * taps;
                    let weights = &self.weights[start..start + inputs.len() * taps];
                    if taps == 1 {
                        let rows = buffer.as_flattened_mut().as_chunks_mut::<COLUMNS>().0;
                        for (row, weight) in rows.iter_mut().zip(weights) {
                            row[column] = *weight;
                        }
                        continue;
                    }
                    for (channel, weights) in weights.chunks_exact(taps).enumerate() {
                        let at = channel * COLUMNS + column;
                        if live.len() == taps {
                            for (tap, weight) in buffer.iter_mut().zip(weights) {
                                tap[at] = *weight;
                            }
                        } else {
                            live.iter().for_each(|&tap| buffer[tap][at] = weights[tap]);
                        }
                    }
                }
                for &tap in &live {
                    let rows = buffer[tap].as_chunks::<COLUMNS>().0;
                    for (input, row) in inputs.clone().zip(rows) {
                        let start = (tap * channels + input) * panel + columns.start;
                        // Columns that do not exist are zeros in the buffer.
                        packed[start..start + COLUMNS].copy_from_slice(row);
                    }
                }
            }
        }
    }

    fn backward_block(&self, block: usize, packed: &mut [f32]) {
        let ((outputs, inputs), taps, panel) = (self.channels, self.order.len(), self.panel);
        let first = block * panel;
        let last = inputs.min(first + panel);
        if last - first < panel {
            packed.fill(0.0);
        }
        for (output, weights) in self.weights.chunks_exact(inputs * taps).enumerate() {
            let weights = &weights[first * taps..last * taps];
            if taps == 1 {
                packed[output * panel..][..weights.len()].copy_from_slice(weights);
                continue;
            }
            for (position, &tap) in self.order.iter().enumerate() {
                if !self.live[position] {
                    continue;
                }
                let row = &mut packed[(position * outputs + output) * panel..][..last - first];
                for (value, weights) in row.iter_mut().zip(weights.chunks_exact(taps)) {
                    *value = weights[tap];
                }
            }
        }
    }
}

/// The inverse of forward packing: a gradient in packed order to `[out, in, kernel, kernel]`. Taps
/// that are not live become 0.
pub(crate) fn unpack(
    shape: &ConvShape,
    panel: usize,
    live: &[bool],
    packed: &[f32],
    weights: &mut [f32],
) {
    if shape.taps() == 1 {
        unpack_by::<ONLY_TAP>(shape, panel, live, packed, weights);
    } else {
        unpack_by::<TAP>(shape, panel, live, packed, weights);
    }
}

fn unpack_by<const TAP: usize>(
    shape: &ConvShape,
    panel: usize,
    live: &[bool],
    packed: &[f32],
    weights: &mut [f32],
) {
    let (channels, taps) = (shape.in_channels, shape.taps());
    weights
        .par_chunks_mut(panel * channels * taps)
        .zip(packed.par_chunks(taps * channels * panel))
        .for_each(|(weights, packed)| {
            let filled = weights.len() / (channels * taps);
            let mut buffer = Scratch::take(taps * TAP);
            let (buffer, _) = buffer.as_chunks_mut::<TAP>();
            for columns in blocks_of(COLUMNS, filled) {
                for inputs in blocks_of(TAP / COLUMNS, channels) {
                    for (tap, rows) in buffer.iter_mut().enumerate() {
                        if !live[tap] {
                            rows.fill(0.0);
                            continue;
                        }
                        let rows = rows.as_chunks_mut::<COLUMNS>().0;
                        for (input, row) in inputs.clone().zip(rows) {
                            let start = (tap * channels + input) * panel + columns.start;
                            row.copy_from_slice(&packed[start..start + COLUMNS]);
                        }
                    }
                    for (column, output) in columns.clone().enumerate() {
                        let start = (output * channels + inputs.start) * taps;
                        let weights = &mut weights[start..start + inputs.len() * taps];
                        if taps == 1 {
                            let rows = buffer.as_flattened().as_chunks::<COLUMNS>().0;
                            for (row, weight) in rows.iter().zip(weights) {
                                *weight = row[column];
                            }
                            continue;
                        }
                        for (channel, weights) in weights.chunks_exact_mut(taps).enumerate() {
                            let at = channel * COLUMNS + column;
                            for (tap, weight) in buffer.iter().zip(weights) {
                                *weight = tap[at];
                            }
                        }
                    }
                }
            }
        });
}
