//! Stochastic gradient descent.

use burn::tensor::Tensor;

use crate::Result;
use crate::optim::{Hyper, Optimizer, ParamState, check_average};

/// Stochastic gradient descent with momentum, as in PyTorch (dampening 0).
///
/// b ← μ·b + g; p ← p − lr·b, or with Nesterov's momentum p ← p − lr·(g + μ·b).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sgd {
    /// Initial momentum μ. Default: 0.9.
    pub momentum: f64,
    /// Whether the step looks ahead along the momentum. Default: false.
    pub nesterov: bool,
}

impl Default for Sgd {
    fn default() -> Self {
        Self {
            momentum: 0.9,
            nesterov: false,
        }
    }
}

impl Optimizer for Sgd {
    fn name(&self) -> &'static str {
        // The state is the same, but a run with the other rule is another run.
        if self.nesterov { "sgd_nesterov" } else { "sgd" }
    }

    fn check(&self) -> Result<()> {
        check_average("momentum", self.momentum)
    }

    fn momentum(&self) -> f64 {
        self.momentum
    }

    fn update(
        &self,
        value: Tensor<1>,
        grad: Tensor<1>,
        state: &mut ParamState,
        hyper: &Hyper,
    ) -> Tensor<1> {
        state.steps += 1;
        let velocity = match state.moments.pop() {
            Some(velocity) => velocity.mul_scalar(hyper.mom) + grad.clone(),
            None => grad.clone(),
        };
        state.moments = vec![velocity.clone()];
        let step = match self.nesterov {
            true => velocity.mul_scalar(hyper.mom) + grad,
            false => velocity,
        };
        hyper.decayed(value) - step.mul_scalar(hyper.lr)
    }
}
