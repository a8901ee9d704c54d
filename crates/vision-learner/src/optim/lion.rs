//! Lion.

use burn::tensor::Tensor;

use crate::Result;
use crate::optim::{Hyper, Optimizer, ParamState, average, check_average, moments};

/// Lion (Chen et al. 2023, <https://arxiv.org/abs/2302.06675>): the sign of a mixture of momentum and
/// gradient. It needs a rate 3 to 10 times smaller than Adam's, and a weight decay as much larger.
///
/// p ← p − lr·sign(β₁·m + (1−β₁)·g); m ← β₂·m + (1−β₂)·g.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lion {
    /// Initial β₁. Default: 0.9.
    pub beta1: f64,
    /// β₂. Default: 0.99.
    pub beta2: f64,
}

impl Default for Lion {
    fn default() -> Self {
        Self {
            beta1: 0.9,
            beta2: 0.99,
        }
    }
}

impl Optimizer for Lion {
    fn name(&self) -> &'static str {
        "lion"
    }

    fn check(&self) -> Result<()> {
        check_average("beta1", self.beta1)?;
        check_average("beta2", self.beta2)
    }

    fn momentum(&self) -> f64 {
        self.beta1
    }

    fn update(
        &self,
        value: Tensor<1>,
        grad: Tensor<1>,
        state: &mut ParamState,
        hyper: &Hyper,
    ) -> Tensor<1> {
        state.steps += 1;
        let [m] = moments(state, &value);
        let step = average(m.clone(), hyper.mom, grad.clone()).sign();
        state.moments = vec![average(m, self.beta2, grad)];
        hyper.decayed(value) - step.mul_scalar(hyper.lr)
    }
}
