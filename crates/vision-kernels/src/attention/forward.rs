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
    let stride = spread(tokens.next_multiple_of(panel));
    let width = size.next_multiple_of(panel);
    let lengths = [
        packed_len(size, tokens, panel),
        packed_len(tokens, size, panel),
        QUERIES * stride,
        QUERIES * width,
    ];
    let mut scratch = Scratch::of_parts(lengths);
    let [turned, packed, scores, outputs] = scratch.parts(lengths);
    keys.pack_transposed(panel, turned);
    values.pack(panel, packed);
    let mut sums = [0.0; QUERIES];
    let blocks = y.chunks_mut(QUERIES).zip(logs.chunks_mut(QUERIES));
    for (block, (y, logs)) in blocks.enumerate() {
        let count = y.len();
        let scores = &mut scores[..count * stride];
        let queries = queries.part(block * QUERIES, count);
        multiply(isa, queries, turned, scores, stride);
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
        multiply(isa, rows, packed, outputs, width);
        for ((y, outputs), sum) in y.iter_mut().zip(outputs.chunks_exact(width)).zip(&sums) {
            let factor = 1.0 / sum;
            for (y, output) in y.iter_mut().zip(outputs) {
                *y = output * factor;
            }
        }
    }
}

/// The factor of scores: 1 / √size.
pub(super) fn scale(size: usize) -> f32 {
    (size as f64).powf(-0.5) as f32
}
