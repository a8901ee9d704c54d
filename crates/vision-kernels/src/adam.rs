//! Adam with decoupled weight decay, in one pass over memory.
//!
//! ```
//! use vision_kernels::{Isa, adam::Adam};
//!
//! let mut adam = Adam { lr: 0.1, beta1: 0.9, beta2: 0.99, eps: 1e-5, weight_decay: 0.0, step: 0 };
//! let (mut p, mut m, mut v) = ([1.0], [0.0], [0.0]);
//! for gradient in [[2.0], [2.0]] {
//!     adam.step += 1;
//!     adam.step(Isa::detect(), &mut p, &gradient, &mut m, &mut v)?;
//! }
//! assert!((p[0] - 0.8).abs() < 1e-4); // A steady gradient moves a weight by `lr` per step.
//! # Ok::<(), vision_kernels::ShapeError>(())
//! ```

use crate::blocks::{self, BLOCK};
use crate::error::check_len;
use crate::isa::{Kernel, Lanes, dispatch};
use crate::{Isa, ShapeError};

/// One step of Adam with decoupled weight decay (I. Loshchilov, F. Hutter, "Decoupled Weight Decay
/// Regularization", 2019), as PyTorch's `AdamW` computes it:
///
/// ```text
/// p = p (1 - lr weight_decay)
/// m = beta1 m + (1 - beta1) g
/// v = beta2 v + (1 - beta2) g²
/// p = p - lr / (1 - beta1^step) * m / (sqrt(v) / sqrt(1 - beta2^step) + eps)
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Adam {
    /// The learning rate.
    pub lr: f64,
    /// Decay rate of the mean gradient.
    pub beta1: f64,
    /// Decay rate of the mean squared gradient.
    pub beta2: f64,
    /// Added to the square root, against division by zero.
    pub eps: f64,
    /// The weight decay.
    pub weight_decay: f64,
    /// The number of this step, from 1.
    pub step: u32,
}

impl Adam {
    /// Takes the step in place: weights `p`, gradients `g`, mean gradients `m`, mean squared
    /// gradients `v`. All slices have the same length.
    ///
    /// # Errors
    ///
    /// If the lengths differ.
    pub fn step(
        &self,
        isa: Isa,
        p: &mut [f32],
        g: &[f32],
        m: &mut [f32],
        v: &mut [f32],
    ) -> Result<(), ShapeError> {
        check_len("g", p.len(), g.len())?;
        check_len("m", p.len(), m.len())?;
        check_len("v", p.len(), v.len())?;
        let factors = self.factors();
        let elements = p.len();
        let tasks = (p.chunks_mut(BLOCK).zip(g.chunks(BLOCK)))
            .zip(m.chunks_mut(BLOCK).zip(v.chunks_mut(BLOCK)))
            .map(|((p, g), (m, v))| Step {
                factors,
                p,
                g,
                m,
                v,
            })
            .collect();
        blocks::run(tasks, elements, |task| dispatch(isa, task));
        Ok(())
    }

    pub(crate) fn factors(&self) -> Factors {
        let correct = |beta: f64| 1.0 - beta.powf(f64::from(self.step));
        Factors {
            decay: (1.0 - self.lr * self.weight_decay) as f32,
            beta1: self.beta1 as f32,
            rest1: (1.0 - self.beta1) as f32,
            beta2: self.beta2 as f32,
            rest2: (1.0 - self.beta2) as f32,
            rate: (self.lr / correct(self.beta1)) as f32,
            root: (1.0 / correct(self.beta2).sqrt()) as f32,
            eps: self.eps as f32,
        }
    }
}

/// The factors that are the same for every weight, computed once in `f64`.
#[derive(Clone, Copy)]
pub(crate) struct Factors {
    pub(crate) decay: f32,
    pub(crate) beta1: f32,
    pub(crate) rest1: f32,
    pub(crate) beta2: f32,
    pub(crate) rest2: f32,
    pub(crate) rate: f32,
    pub(crate) root: f32,
    pub(crate) eps: f32,
}

struct Step<'a> {
    factors: Factors,
    p: &'a mut [f32],
    g: &'a [f32],
    m: &'a mut [f32],
    v: &'a mut [f32],
}

impl Kernel for Step<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self) {
        let f = self.factors;
        let moments = self.m.iter_mut().zip(self.v);
        for ((p, &g), (m, v)) in self.p.iter_mut().zip(self.g).zip(moments) {
            *m = L::mul_add(f.beta1, *m, f.rest1 * g);
            *v = L::mul_add(f.beta2, *v, f.rest2 * g * g);
            let step = *m / L::mul_add(v.sqrt(), f.root, f.eps);
            *p = L::mul_add(-f.rate, step, *p * f.decay);
        }
    }
}
