//! Attention of each token to all tokens of its image, as in vision transformers.
//!
//! ```text
//! y = softmax(q kᵀ / √size) v      for each head of each image
//! ```
//!
//! Scores exist for some queries at a time only. Forward keeps the logarithm of each row's sum of exponentials, from which
//! backward computes the scores again (T. Dao et al., "FlashAttention", 2022).
//!
//! ```
//! use vision_kernels::Isa;
//! use vision_kernels::attention::Attention;
//!
//! let attention = Attention { batch: 1, tokens: 2, heads: 1, size: 1 };
//! // Queries of 0 see all tokens alike: the values are 4 and 6.
//! let (qkv, mut y) = ([0.0, 1.0, 4.0, 0.0, 2.0, 6.0], [0.0; 2]);
//! attention.forward(Isa::detect(), &qkv, &mut y)?;
//! assert_eq!(y, [5.0, 5.0]);
//! # Ok::<(), vision_kernels::ShapeError>(())
//! ```

mod backward;
mod forward;
mod rows;

use rayon::prelude::*;

use crate::conv::split_channels;
use crate::error::check_len;
use crate::matrix::Rows;
use crate::{Isa, ShapeError};

/// Queries whose scores exist together.
const QUERIES: usize = 48;

/// The sizes of an attention. Queries, keys and values of all heads lie side by side: `[batch, tokens, 3 * heads * size]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attention {
    /// Number of images.
    pub batch: usize,
    /// Tokens of an image.
    pub tokens: usize,
    /// Number of heads.
    pub heads: usize,
    /// Values of a query, a key and a value of one head.
    pub size: usize,
}

impl Attention {
    /// Values of the output.
    fn len(&self) -> usize {
        // Saturates: no slice has that length, and slice lengths are what this is compared with.
        [self.tokens, self.heads, self.size]
            .into_iter()
            .fold(self.batch, usize::saturating_mul)
    }

    /// Computes `y`, `[batch, tokens, heads * size]`. Returns the logarithms for [`backward`](Self::backward),
    /// `[batch, heads, tokens]`.
    ///
    /// # Errors
    ///
    /// If a length does not fit.
    pub fn forward(&self, isa: Isa, qkv: &[f32], y: &mut [f32]) -> Result<Vec<f32>, ShapeError> {
        check_len("qkv", self.len().saturating_mul(3), qkv.len())?;
        check_len("y", self.len(), y.len())?;
        if y.is_empty() {
            return Ok(Vec::new());
        }
        let width = self.heads * self.size;
        let mut logs = vec![0.0; self.batch * self.heads * self.tokens];
        y.par_chunks_mut(self.tokens * width)
            .zip(qkv.par_chunks(3 * self.tokens * width))
            .zip(logs.par_chunks_mut(self.heads * self.tokens))
            .for_each(|((y, qkv), logs)| {
                split_channels(y, width, self.size)
                    .into_par_iter()
                    .zip(logs.par_chunks_mut(self.tokens))
                    .enumerate()
                    .for_each(|(head, (y, logs))| {
                        forward::forward(isa, self.parts(qkv, head), y, logs);
                    });
            });
        Ok(logs)
    }

    /// The gradient of `qkv`, from the output `y`, its gradient `dy`, and what [`forward`](Self::forward) returned. Every
    /// value of `dqkv` is written.
    ///
    /// # Errors
    ///
    /// If a length does not fit.
    pub fn backward(
        &self,
        isa: Isa,
        qkv: &[f32],
        (y, logs): (&[f32], &[f32]),
        dy: &[f32],
        dqkv: &mut [f32],
    ) -> Result<(), ShapeError> {
        check_len("qkv", self.len().saturating_mul(3), qkv.len())?;
        check_len("y", self.len(), y.len())?;
        check_len("dy", self.len(), dy.len())?;
        check_len("dqkv", qkv.len(), dqkv.len())?;
        let rows = (self.batch.saturating_mul(self.heads)).saturating_mul(self.tokens);
        check_len("logs", if y.is_empty() { 0 } else { rows }, logs.len())?;
        if y.is_empty() {
            return Ok(());
        }
        let width = self.heads * self.size;
        dqkv.par_chunks_mut(3 * self.tokens * width)
            .zip(qkv.par_chunks(3 * self.tokens * width))
            .zip(
                y.par_chunks(self.tokens * width)
                    .zip(dy.par_chunks(self.tokens * width)),
            )
            .zip(logs.par_chunks(self.heads * self.tokens))
            .for_each(|(((dqkv, qkv), (y, dy)), logs)| {
                let mut queries = split_channels(dqkv, 3 * width, self.size);
                let mut keys = queries.split_off(self.heads);
                let values = keys.split_off(self.heads);
                queries
                    .into_par_iter()
                    .zip(keys)
                    .zip(values)
                    .enumerate()
                    .for_each(|(head, ((dq, dk), dv))| {
                        let part = |values| Rows {
                            values,
                            stride: width,
                            len: self.size,
                            count: self.tokens,
                        };
                        let output = backward::Output {
                            y: part(&y[head * self.size..]),
                            dy: part(&dy[head * self.size..]),
                            logs: &logs[head * self.tokens..][..self.tokens],
                        };
                        backward::backward(isa, self.parts(qkv, head), output, [dq, dk, dv]);
                    });
            });
        Ok(())
    }

    /// Queries, keys and values of a head of an image.
    fn parts<'a>(&self, qkv: &'a [f32], head: usize) -> [Rows<'a>; 3] {
        let width = self.heads * self.size;
        [0, 1, 2].map(|part| Rows {
            values: &qkv[part * width + head * self.size..],
            stride: 3 * width,
            len: self.size,
            count: self.tokens,
        })
    }
}
