//! The gradients of a head.

use super::QUERIES;
use super::forward::scale;
use super::rows::Gradients;
use crate::isa::{Isa, dispatch};
use crate::matrix::{Rows, add_transposed, multiply, packed_len, unpack};
use crate::microkernel::{panel_width, spread};
use crate::scratch::Scratch;

/// What the forward pass returned, and the gradient of its output.
pub(super) struct Output<'a> {
    pub(super) y: Rows<'a>,
    pub(super) dy: Rows<'a>,
    pub(super) logs: &'a [f32],
}

/// Writes the gradients of queries, keys and values of each token.
pub(super) fn backward(
    isa: Isa,
    [queries, keys, values]: [Rows<'_>; 3],
    output: Output<'_>,
    [mut dq, mut dk, mut dv]: [Vec<&mut [f32]>; 3],
) {
    let (panel, tokens, size) = (panel_width(isa), keys.count, keys.len);
    let stride = spread(tokens.next_multiple_of(panel));
    let width = size.next_multiple_of(panel);
    let of_block = packed_len(QUERIES, size, panel);
    let lengths = [
        packed_len(size, tokens, panel),
        packed_len(size, tokens, panel),
        packed_len(tokens, size, panel),
        QUERIES * stride,
        QUERIES * stride,
        of_block,
        QUERIES * width,
        tokens * width,
        tokens * width,
    ];
    let mut scratch = Scratch::of_parts(lengths);
    let [
        keys_turned,
        values_turned,
        keys_packed,
        scores,
        gradients,
        packed,
        of_queries,
        of_keys,
        of_values,
    ] = scratch.parts(lengths);
    keys.pack_transposed(panel, keys_turned);
    values.pack_transposed(panel, values_turned);
    keys.pack(panel, keys_packed);
    of_keys.fill(0.0);
    of_values.fill(0.0);
    for (block, dq) in dq.chunks_mut(QUERIES).enumerate() {
        let (first, count) = (block * QUERIES, dq.len());
        let scores = &mut scores[..count * stride];
        let gradients = &mut gradients[..count * stride];
        let queries = queries.part(first, count);
        let dy = output.dy.part(first, count);
        multiply(isa, queries, keys_turned, scores, stride);
        multiply(isa, dy, values_turned, gradients, stride);
        dispatch(
            isa,
            Gradients {
                scores,
                gradients,
                stride,
                scale: scale(size),
                y: output.y.part(first, count),
                dy,
                logs: &output.logs[first..first + count],
                len: tokens,
            },
        );
        let packed = &mut packed[..packed_len(count, size, panel)];
        dy.pack(panel, packed);
        add_transposed(isa, (scores, stride), tokens, packed, of_values);
        queries.pack(panel, packed);
        add_transposed(isa, (gradients, stride), tokens, packed, of_keys);
        let rows = Rows {
            values: gradients,
            stride,
            len: tokens,
            count,
        };
        multiply(isa, rows, keys_packed, of_queries, width);
        for (dq, sums) in dq.iter_mut().zip(of_queries.chunks_exact(width)) {
            dq.copy_from_slice(&sums[..size]);
        }
    }
    unpack(of_keys, panel, &mut dk);
    unpack(of_values, panel, &mut dv);
}
