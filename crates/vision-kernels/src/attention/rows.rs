//! What happens to the rows of scores.

use crate::activation::math::exp;
use crate::isa::{Kernel, Lanes};
use crate::matrix::Rows;

/// Values whose sums are in registers side by side.
const WIDE: usize = 32;

/// Exponentials of scores: `e^(scale * score - greatest)`, with the greatest of its row. Writes the sum of each row and the
/// logarithm of the sum of `e^(scale * score)`.
pub(super) struct Exponentials<'a> {
    pub(super) scores: &'a mut [f32],
    pub(super) stride: usize,
    /// Scores of a row.
    pub(super) len: usize,
    pub(super) scale: f32,
    pub(super) sums: &'a mut [f32],
    pub(super) logs: &'a mut [f32],
}

impl Kernel for Exponentials<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self) {
        let rows = self.scores.chunks_exact_mut(self.stride);
        for (row, (sum, log)) in rows.zip(self.sums.iter_mut().zip(self.logs)) {
            let row = &mut row[..self.len];
            let (vectors, rest) = row.as_chunks_mut::<WIDE>();
            let mut best = [f32::NEG_INFINITY; WIDE];
            for vector in &*vectors {
                for i in 0..WIDE {
                    best[i] = if vector[i] > best[i] {
                        vector[i]
                    } else {
                        best[i]
                    };
                }
            }
            let all = best.iter().chain(&*rest);
            let greatest = all.fold(f32::NEG_INFINITY, |a, &b| if b > a { b } else { a });
            let greatest = greatest * self.scale;
            let mut sums = [0.0; WIDE];
            for vector in vectors {
                for i in 0..WIDE {
                    let e = exp::<L>(L::mul_add(vector[i], self.scale, -greatest));
                    vector[i] = e;
                    sums[i] += e;
                }
            }
            let mut total = 0.0;
            for score in rest {
                *score = exp::<L>(L::mul_add(*score, self.scale, -greatest));
                total += *score;
            }
            total += sums.iter().sum::<f32>();
            *sum = total;
            *log = greatest + total.ln();
        }
    }
}

/// Turns scores into probabilities `p = e^(scale * score - log)`, and their gradients `dp` into those of the scores,
/// `scale * p * (dp - Σ y dy)`.
pub(super) struct Gradients<'a> {
    pub(super) scores: &'a mut [f32],
    pub(super) gradients: &'a mut [f32],
    pub(super) stride: usize,
    pub(super) scale: f32,
    pub(super) y: Rows<'a>,
    pub(super) dy: Rows<'a>,
    pub(super) logs: &'a [f32],
    /// Scores of a row.
    pub(super) len: usize,
}

impl Kernel for Gradients<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self) {
        let rows = self.scores.chunks_exact_mut(self.stride);
        let rows = rows.zip(self.gradients.chunks_exact_mut(self.stride));
        for (at, ((scores, gradients), log)) in rows.zip(self.logs).enumerate() {
            let sum = dot::<L>(self.y.row(at), self.dy.row(at));
            let (scores, gradients) = (&mut scores[..self.len], &mut gradients[..self.len]);
            for (score, gradient) in scores.iter_mut().zip(gradients) {
                let p = exp::<L>(L::mul_add(*score, self.scale, -log));
                *score = p;
                *gradient = self.scale * (p * (*gradient - sum));
            }
        }
    }
}

/// The sum of the products, of `WIDE` side by side.
#[inline(always)]
fn dot<L: Lanes>(a: &[f32], b: &[f32]) -> f32 {
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<WIDE>(), b.as_chunks::<WIDE>());
    let mut sums = [0.0; WIDE];
    for (a, b) in a.iter().zip(b) {
        for i in 0..WIDE {
            sums[i] = L::mul_add(a[i], b[i], sums[i]);
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    sums.iter().sum::<f32>() + rest
}
