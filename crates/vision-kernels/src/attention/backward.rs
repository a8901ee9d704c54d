//! The gradients of a head.

use super::QUERIES;
use super::forward::scale;
use super::rows::Gradients;
use crate::isa::{Isa, dispatch};
use crate::matrix::{Rows, add_transposed, multiply, packed_len};
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
    let packed = |rows: Rows<'_>| {
        let mut packed = Scratch::take(packed_len(rows.count, rows.len, panel));
        rows.pack(panel, &mut packed);
        packed
    };
    let turned = |rows: Rows<'_>| {
        let mut packed = Scratch::take(packed_len(rows.len, rows.count, panel));
        rows.pack_transposed(panel, &mut packed);
        packed
    };
    let (keys_turned, values_turned, keys_packed) = (turned(keys), turned(values), packed(keys));
    let stride = spread(tokens.next_multiple_of(panel));
    let width = size.next_multiple_of(panel);
    let mut scores = Scratch::take(QUERIES * stride);
    let mut gradients = Scratch::take(QUERIES * stride);
    let mut of_queries = Scratch::take(QUERIES * width);
    let mut of_keys = Scratch::zeros(tokens * width);
    let mut of_values = Scratch::zeros(tokens * width);
    for (block, dq) in dq.chunks_mut(QUERIES).enumerate() {
        let (first, count) = (block * QUERIES, dq.len());
        let scores = &mut scores[..count * stride];
        let gradients = &mut gradients[..count * stride];
        let queries = queries.part(first, count);
        let dy = output.dy.part(first, count);
        multiply(isa, queries, &keys_turned, scores, stride);
        multiply(isa, dy, &values_turned, gradients, stride);
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
        add_transposed(isa, (scores, stride), tokens, &packed(dy), &mut of_values);
        let queries = packed(queries);
        add_transposed(isa, (gradients, stride), tokens, &queries, &mut of_keys);
        let rows = Rows {
            values: gradients,
            stride,
            len: tokens,
            count,
        };
        multiply(isa, rows, &keys_packed, &mut of_queries, width);
        for (dq, sums) in dq.iter_mut().zip(of_queries.chunks_exact(width)) {
            dq.copy_from_slice(&sums[..size]);
        }
    }
    for (gradients, sums) in [(&mut dk, &of_keys), (&mut dv, &of_values)] {
        for (part, sums) in sums.chunks_exact(tokens * panel).enumerate() {
            let columns = part * panel..size.min((part + 1) * panel);
            for (gradient, sums) in gradients.iter_mut().zip(sums.chunks_exact(panel)) {
                gradient[columns.clone()].copy_from_slice(&sums[..columns.len()]);
            }
        }
    }
}
