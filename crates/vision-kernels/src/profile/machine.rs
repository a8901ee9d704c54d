//! Measured limits of a machine.

use std::hint::black_box;
use std::time::Instant;

use rayon::prelude::*;

use crate::Isa;
use crate::blocks::BLOCK;
use crate::isa::Lanes;
use crate::microkernel::{Tile, TileKernel, dispatch_tiled};

/// Limits of a machine, with the threads of the current rayon pool.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Machine {
    /// Floating-point operations per second: fused multiply-adds on registers alone, two operations
    /// each.
    pub flops: f64,
    /// Bytes per second that a copy between arrays much larger than the caches reads and writes.
    pub bytes: f64,
}

impl Machine {
    /// Measures the limits, as the best of several repeats. Takes about a second.
    pub fn measure(isa: Isa) -> Self {
        Self {
            flops: best(|| products(isa)),
            bytes: copies(),
        }
    }

    /// The least number of seconds for a call that has to read and write main memory.
    pub fn limit(&self, call: &super::Call) -> f64 {
        (call.flops / self.flops).max(call.bytes / self.bytes)
    }
}

/// The highest of several measured rates.
fn best(rate: impl FnMut() -> f64) -> f64 {
    std::iter::repeat_with(rate).take(10).fold(0.0, f64::max)
}

fn products(isa: Isa) -> f64 {
    const STEPS: usize = 1 << 20;
    let begin = Instant::now();
    let flops: f64 = (0..rayon::current_num_threads())
        .into_par_iter()
        .with_max_len(1)
        .map(|_| {
            let mut flops = 0.0;
            dispatch_tiled(
                isa,
                Products {
                    steps: STEPS,
                    flops: &mut flops,
                },
            );
            flops
        })
        .sum();
    flops / begin.elapsed().as_secs_f64()
}

struct Products<'a> {
    steps: usize,
    flops: &'a mut f64,
}

impl TileKernel for Products<'_> {
    // With iterators, the sums would not stay in registers.
    #[allow(clippy::needless_range_loop)]
    #[inline(always)]
    fn run<L: Lanes, const W: usize, const NV: usize, const MR: usize>(self) {
        // Hidden from the compiler, which would compute equal sums once.
        let mut tile: Tile<W, NV, MR> = black_box([[[1.0; W]; NV]; MR]);
        let (factor, term) = (black_box(0.5), black_box(0.5));
        for _ in 0..self.steps {
            for m in 0..MR {
                for v in 0..NV {
                    for w in 0..W {
                        tile[m][v][w] = L::mul_add(tile[m][v][w], factor, term);
                    }
                }
            }
        }
        black_box(tile);
        *self.flops = 2.0 * (self.steps * MR * NV * W) as f64;
    }
}

fn copies() -> f64 {
    const LEN: usize = 1 << 25;
    let source = vec![1.0f32; LEN];
    let mut target = vec![0.0f32; LEN];
    best(|| {
        let begin = Instant::now();
        target
            .par_chunks_mut(BLOCK)
            .zip(source.par_chunks(BLOCK))
            // With an addition, because a plain copy would call the C library, whose store
            // instructions no kernel here uses.
            .for_each(|(target, source)| {
                for (target, source) in target.iter_mut().zip(source) {
                    *target = source + 1.0;
                }
            });
        2.0 * size_of_val(&source[..]) as f64 / begin.elapsed().as_secs_f64()
    })
}
