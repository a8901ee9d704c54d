//! Adam.

use burn::tensor::Tensor;
use vision_kernels::{adam, ops};

use crate::Result;
use crate::optim::{Hyper, Optimizer, ParamState, check_average, check_eps, moments};

/// Adam (Kingma & Ba 2014, <https://arxiv.org/abs/1412.6980>), as in PyTorch.
///
/// With decoupled weight decay, which is the default of a learner, it is AdamW (Loshchilov & Hutter 2017,
/// <https://arxiv.org/abs/1711.05101>); with [`true_wd(false)`](crate::LearnerBuilder::true_wd) it is
/// PyTorch's `Adam` with `weight_decay`.
///
/// p ← p − lr/(1−β₁ᵗ) · m / (√v/√(1−β₂ᵗ) + ε). Bias corrections use the current β₁, as in PyTorch when
/// fastai overwrites it at every step, and are computed in f64.
#[doc(alias = "AdamW")]
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Adam {
    /// Initial β₁. Default: 0.9.
    pub beta1: f64,
    /// β₂. Default: 0.99, fastai's.
    pub beta2: f64,
    /// ε. Default: 1e-8.
    pub eps: f64,
}

impl Default for Adam {
    fn default() -> Self {
        Self {
            beta1: 0.9,
            beta2: 0.99,
            eps: 1e-8,
        }
    }
}

impl Optimizer for Adam {
    fn name(&self) -> &'static str {
        "adam"
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
        let rule = adam::Adam {
            lr: hyper.lr,
            beta1: hyper.mom,
            beta2: self.beta2,
            eps: self.eps,
            weight_decay: hyper.wd,
            step: u32::try_from(state.steps).unwrap_or(u32::MAX),
        };
        let [value, m, v] = ops::adam(&rule, value, grad, [m, v]);
        state.moments = vec![m, v];
        value
    }
}
