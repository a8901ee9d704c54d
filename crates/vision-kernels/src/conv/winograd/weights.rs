//! Transform of weights for Winograd's products.

use std::marker::PhantomData;

use rayon::prelude::*;

use super::scheme::Scheme;
use super::tiles::transform;
use crate::conv::pack::Packer;
use crate::isa::{Isa, Lanes};
use crate::microkernel::{TileKernel, dispatch_tiled};
use crate::scratch::Scratch;

/// Returns `[blocks][S * S][channels][panel]`.
pub(crate) fn transform_weights<F: Scheme<M, S>, const M: usize, const S: usize>(
    isa: Isa,
    packer: &Packer<'_>,
) -> Scratch {
    let block_len = packer.block_len() / 9 * S * S;
    let mut transformed = Scratch::take(packer.blocks() * block_len);
    if transformed.is_empty() {
        return transformed;
    }
    transformed
        .par_chunks_mut(block_len)
        .enumerate()
        .for_each(|(block, transformed)| {
            // One block after the other, so that it is still in the cache when it is transformed.
            let mut packed = Scratch::take(packer.block_len());
            packer.pack_block(block, &mut packed);
            dispatch_tiled(
                isa,
                WeightTask::<F, M, S> {
                    packed: &packed,
                    transformed,
                    scheme: PhantomData,
                },
            );
        });
    transformed
}

/// One block of output channels.
struct WeightTask<'a, F, const M: usize, const S: usize> {
    packed: &'a [f32],
    transformed: &'a mut [f32],
    scheme: PhantomData<F>,
}

impl<F: Scheme<M, S>, const M: usize, const S: usize> TileKernel for WeightTask<'_, F, M, S> {
    #[inline(always)]
    fn run<L: Lanes, const W: usize, const NV: usize, const MR: usize>(self) {
        let packed = self.packed.as_chunks::<W>().0;
        let transformed = self.transformed.as_chunks_mut::<W>().0;
        // Vectors of one tap, and vectors of one point.
        let len = packed.len() / 9;
        let mut points = [[[0.0; W]; S]; S];
        for at in 0..len {
            let taps = |i: usize, j: usize| &packed[(i * 3 + j) * len + at];
            let taps = std::array::from_fn(|i| std::array::from_fn(|j| taps(i, j)));
            transform::<W, 3, S>(&taps, F::weight, &mut points);
            for i in 0..S {
                for j in 0..S {
                    transformed[(i * S + j) * len + at] = points[i][j];
                }
            }
        }
    }
}
