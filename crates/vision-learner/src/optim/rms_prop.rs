//! RMSProp.

use burn::tensor::Tensor;

use crate::Result;
use crate::optim::{Hyper, Optimizer, ParamState, average, check_average, check_eps, moments};

/// RMSProp with momentum, as in PyTorch (Tieleman & Hinton 2012, not centered).
///
/// v ← α·v + (1−α)·g²; b ← μ·b + g/(√v + ε); p ← p − lr·b.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RmsProp {
    /// α, how much of the running average of squares is kept. Default: 0.99.
    pub alpha: f64,
    /// Initial momentum μ. Default: 0.
    pub momentum: f64,
    /// ε. Default: 1e-8.
    pub eps: f64,
}

impl Default for RmsProp {
    fn default() -> Self {
        Self {
            alpha: 0.99,
            momentum: 0.0,
            eps: 1e-8,
        }
    }
}

impl Optimizer for RmsProp {
    fn name(&self) -> &'static str {
        "rms_prop"
    }

    fn check(&self) -> Result<()> {
        check_average("alpha", self.alpha)?;
        check_average("momentum", self.momentum)?;
        check_eps(self.eps)
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
        let [v, b] = moments(state, &value);
        let v = average(v, self.alpha, grad.clone() * grad.clone());
        let step = grad / v.clone().sqrt().add_scalar(self.eps);
        let b = b.mul_scalar(hyper.mom) + step;
        state.moments = vec![v, b.clone()];
        hyper.decayed(value) - b.mul_scalar(hyper.lr)
    }
}
