//! LAMB.

use burn::tensor::Tensor;

use crate::Result;
use crate::optim::{Hyper, Optimizer, ParamState, average, check_average, check_eps, moments};

/// LAMB (You et al. 2019, <https://arxiv.org/abs/1904.00962>): Adam for large batches. The step of each
/// parameter tensor is scaled to the norm of its values.
///
/// u = m̂/(√v̂ + ε) + wd·p; p ← p − lr·(‖p‖/‖u‖)·u. The ratio is 1 if one of the norms is 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lamb {
    /// Initial β₁. Default: 0.9.
    pub beta1: f64,
    /// β₂. Default: 0.999.
    pub beta2: f64,
    /// ε. Default: 1e-6.
    pub eps: f64,
}

impl Default for Lamb {
    fn default() -> Self {
        Self {
            beta1: 0.9,
            beta2: 0.999,
            eps: 1e-6,
        }
    }
}

impl Optimizer for Lamb {
    fn name(&self) -> &'static str {
        "lamb"
    }

    fn check(&self) -> Result<()> {
        check_average("beta1", self.beta1)?;
        check_average("beta2", self.beta2)?;
        check_eps(self.eps)
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
        let [m, v] = moments(state, &value);
        let m = average(m, hyper.mom, grad.clone());
        let v = average(v, self.beta2, grad.clone() * grad);
        let t = state.steps as f64;
        let (first, second) = (1.0 - hyper.mom.powf(t), 1.0 - self.beta2.powf(t));
        let root = v.clone().div_scalar(second).sqrt().add_scalar(self.eps);
        let step = m.clone().div_scalar(first) / root + value.clone().mul_scalar(hyper.wd);
        state.moments = vec![m, v];
        let norm = |x: &Tensor<1>| (x.clone() * x.clone()).sum().sqrt();
        let (weight, length) = (norm(&value), norm(&step));
        // On the device, since reading the norms of every parameter would stop it at each.
        let none = weight
            .clone()
            .equal_elem(0.0)
            .bool_or(length.clone().equal_elem(0.0));
        let ratio = (weight / length).mask_fill(none, 1.0);
        value - step * ratio.mul_scalar(hyper.lr)
    }
}
