//! Rectified Adam.

use burn::tensor::Tensor;

use crate::Result;
use crate::optim::{Hyper, Optimizer, ParamState, average, check_average, check_eps, moments};

/// Rectified Adam (Liu et al. 2019, <https://arxiv.org/abs/1908.03265>), as in PyTorch: Adam whose
/// adaptive rate is switched on once its variance is known, and rectified. It needs no warm-up.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RAdam {
    /// Initial β₁. Default: 0.9.
    pub beta1: f64,
    /// β₂. Default: 0.99, fastai's.
    pub beta2: f64,
    /// ε. Default: 1e-8.
    pub eps: f64,
}

impl Default for RAdam {
    fn default() -> Self {
        Self {
            beta1: 0.9,
            beta2: 0.99,
            eps: 1e-8,
        }
    }
}

impl Optimizer for RAdam {
    fn name(&self) -> &'static str {
        "radam"
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
        let lr = hyper.lr / (1.0 - hyper.mom.powf(t));
        let value = hyper.decayed(value);
        let step = match self.rectification(t) {
            Some(r) => {
                let scale = lr * r * (1.0 - self.beta2.powf(t)).sqrt();
                m.clone().mul_scalar(scale) / v.clone().sqrt().add_scalar(self.eps)
            }
            None => m.clone().mul_scalar(lr),
        };
        state.moments = vec![m, v];
        value - step
    }
}

impl RAdam {
    /// The factor r of step `t`; `None` while the variance of the adaptive rate has no finite value.
    fn rectification(&self, t: f64) -> Option<f64> {
        let most = 2.0 / (1.0 - self.beta2) - 1.0;
        let kept = self.beta2.powf(t);
        let length = most - 2.0 * t * kept / (1.0 - kept);
        let share = |length: f64| (length - 4.0) * (length - 2.0) / length;
        (length > 5.0).then(|| (share(length) / share(most)).sqrt())
    }
}
