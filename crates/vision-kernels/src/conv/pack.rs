//! Weights in the order in which the micro-kernel reads them.
//!
//! `[blocks][rows][panel]`: a block is as many output channels as a tile has columns, the last one filled
//! up with zeros whose results are never written; a row is one tap of one input channel, taps outside.

use std::ops::Range;

use rayon::prelude::*;

use super::ConvShape;
use super::classes::backward_order;
use crate::scratch::Scratch;

/// Input channels and columns that are transposed together, in a buffer that fits into L1: the rows of a
/// panel, and the weights of an output channel, are so far apart that they would displace each other.
const CHANNELS: usize = 32;
const COLUMNS: usize = 16;
/// Values of one tap in that buffer.
const TAP: usize = CHANNELS * COLUMNS;

/// `0..len` in ranges of `size`, the last one shorter.
fn blocks_of(size: usize, len: usize) -> impl Iterator<Item = Range<usize>> {
    (0..len)
        .step_by(size)
        .map(move |start| start..len.min(start + size))
}

/// `[out / panel][kernel * kernel * in][panel]`, taps in PyTorch's order.
pub(crate) fn forward(shape: &ConvShape, panel: usize, weights: &[f32]) -> Scratch {
    let (channels, taps) = (shape.in_channels, shape.taps());
    let blocks = shape.out_channels.div_ceil(panel);
    let mut packed = Scratch::take(blocks * taps * channels * panel);
    if packed.is_empty() {
        return packed;
    }
    packed
        .par_chunks_mut(taps * channels * panel)
        .zip(weights.par_chunks(panel * channels * taps))
        .for_each(|(packed, weights)| {
            let filled = weights.len() / (channels * taps);
            if filled < panel {
                packed.fill(0.0);
            }
            let mut buffer = Scratch::take(taps * TAP);
            let (buffer, _) = buffer.as_chunks_mut::<TAP>();
            for columns in blocks_of(COLUMNS, filled) {
                for inputs in blocks_of(CHANNELS, channels) {
                    for (column, output) in columns.clone().enumerate() {
                        let start = (output * channels + inputs.start) * taps;
                        let weights = &weights[start..start + inputs.len() * taps];
                        for (channel, weights) in weights.chunks_exact(taps).enumerate() {
                            let at = channel * COLUMNS + column;
                            for (tap, weight) in buffer.iter_mut().zip(weights) {
                                tap[at] = *weight;
                            }
                        }
                    }
                    for (tap, rows) in buffer.iter().enumerate() {
                        for (input, row) in inputs.clone().zip(rows.chunks_exact(COLUMNS)) {
                            let start = (tap * channels + input) * panel + columns.start;
                            packed[start..start + columns.len()]
                                .copy_from_slice(&row[..columns.len()]);
                        }
                    }
                }
            }
        });
    packed
}

/// `[in / panel][kernel * kernel * out][panel]`, taps in [`backward_order`].
pub(crate) fn backward(shape: &ConvShape, panel: usize, weights: &[f32]) -> Scratch {
    let (inputs, outputs, taps) = (shape.in_channels, shape.out_channels, shape.taps());
    let blocks = inputs.div_ceil(panel);
    let mut packed = Scratch::take(blocks * taps * outputs * panel);
    if packed.is_empty() {
        return packed;
    }
    let axis = backward_order(shape);
    let order: Vec<usize> = axis
        .iter()
        .flat_map(|vertical| {
            axis.iter()
                .map(move |horizontal| vertical * shape.kernel + horizontal)
        })
        .collect();
    packed
        .par_chunks_mut(taps * outputs * panel)
        .enumerate()
        .for_each(|(block, packed)| {
            let first = block * panel;
            let last = inputs.min(first + panel);
            if last - first < panel {
                packed.fill(0.0);
            }
            for (output, weights) in weights.chunks_exact(inputs * taps).enumerate() {
                let weights = &weights[first * taps..last * taps];
                for (position, &tap) in order.iter().enumerate() {
                    let row = &mut packed[(position * outputs + output) * panel..][..last - first];
                    for (value, weights) in row.iter_mut().zip(weights.chunks_exact(taps)) {
                        *value = weights[tap];
                    }
                }
            }
        });
    packed
}

/// The inverse of [`forward`]: a gradient in packed order to `[out, in, kernel, kernel]`.
pub(crate) fn unpack(shape: &ConvShape, panel: usize, packed: &[f32], weights: &mut [f32]) {
    let (channels, taps) = (shape.in_channels, shape.taps());
    weights
        .par_chunks_mut(panel * channels * taps)
        .zip(packed.par_chunks(taps * channels * panel))
        .for_each(|(weights, packed)| {
            let filled = weights.len() / (channels * taps);
            let mut buffer = Scratch::take(taps * TAP);
            let (buffer, _) = buffer.as_chunks_mut::<TAP>();
            for columns in blocks_of(COLUMNS, filled) {
                for inputs in blocks_of(CHANNELS, channels) {
                    for (tap, rows) in buffer.iter_mut().enumerate() {
                        for (input, row) in inputs.clone().zip(rows.chunks_exact_mut(COLUMNS)) {
                            let start = (tap * channels + input) * panel + columns.start;
                            row[..columns.len()]
                                .copy_from_slice(&packed[start..start + columns.len()]);
                        }
                    }
                    for (column, output) in columns.clone().enumerate() {
                        let start = (output * channels + inputs.start) * taps;
                        let weights = &mut weights[start..start + inputs.len() * taps];
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
