//! The output of a head.

use super::QUERIES;
use super::rows::Exponentials;
use crate::isa::{Isa, dispatch};
use crate::matrix::{Rows, multiply, packed_len};
use crate::microkernel::{panel_width, spread};
use crate::scratch::Scratch;

/// Writes the output of each token, and its logarithm.
pub(super) fn forward(
    isa: Isa,
    [queries, keys, values]: [Rows<'_>; 3],
    mut y: Vec<&mut [f32]>,
    logs: &mut [f32],
) {
    let (panel, tokens, size) = (panel_width(isa), keys.count, keys.len);
    let mut turned = Scratch::take(packed_len(size, tokens, panel));
    keys.pack_transposed(panel, &mut turned);
    let mut packed = Scratch::take(packed_len(tokens, size, panel));
    values.pack(panel, &mut packed);
    let stride = spread(tokens.next_multiple_of(panel));
    let width = size.next_multiple_of(panel);
    let mut scores = Scratch::take(QUERIES * stride);
    let mut outputs = Scratch::take(QUERIES * width);
    let mut sums = [0.0; QUERIES];
    let blocks = y.chunks_mut(QUERIES).zip(logs.chunks_mut(QUERIES));
    for (block, (y, logs)) in blocks.enumerate() {
        let count = y.len();
        let scores = &mut scores[..count * stride];
        let queries = queries.part(block * QUERIES, count);
        multiply(isa, queries, &turned, scores, stride);
        dispatch(
            isa,
            Exponentials {
                scores,
                stride,
                len: tokens,
                scale: scale(size),
                sums: &mut sums,
                logs,
            },
        );
        let rows = Rows {
            values: scores,
            stride,
            len: tokens,
            count,
        };
        multiply(isa, rows, &packed, &mut outputs, width);
        for ((y, outputs), sum) in y.iter_mut().zip(outputs.chunks_exact(width)).zip(&sums) {
            for (y, output) in y.iter_mut().zip(outputs) {
                *y = output / sum;
            }
        }
    }
}

/// The factor of scores: 1 / √size.
pub(super) fn scale(size: usize) -> f32 {
    (size as f64).powf(-0.5) as f32
}
