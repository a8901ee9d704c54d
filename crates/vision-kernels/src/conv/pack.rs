//! Weights in the order in which the micro-kernel reads them.
//!
//! `[blocks][rows][panel]`: a block is as many output channels as a tile has columns, the last one filled
//! up with zeros whose results are never written; a row is one tap of one input channel, taps outside.

use rayon::prelude::*;

use super::ConvShape;
use super::classes::backward_order;
use crate::scratch::Scratch;

/// Channels that are transposed together, so that what is read and what is written both stay in L1.
const CHANNELS: usize = 16;

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
            for first in (0..channels).step_by(CHANNELS) {
                let last = channels.min(first + CHANNELS);
                for (column, weights) in weights.chunks_exact(channels * taps).enumerate() {
                    let weights = &weights[first * taps..last * taps];
                    for (channel, weights) in (first..last).zip(weights.chunks_exact(taps)) {
                        for (tap, weight) in weights.iter().enumerate() {
                            packed[(tap * channels + channel) * panel + column] = *weight;
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
            for first in (0..channels).step_by(CHANNELS) {
                let last = channels.min(first + CHANNELS);
                for (column, weights) in weights.chunks_exact_mut(channels * taps).enumerate() {
                    let weights = &mut weights[first * taps..last * taps];
                    for (channel, weights) in (first..last).zip(weights.chunks_exact_mut(taps)) {
                        for (tap, weight) in weights.iter_mut().enumerate() {
                            *weight = packed[(tap * channels + channel) * panel + column];
                        }
                    }
                }
            }
        });
}
