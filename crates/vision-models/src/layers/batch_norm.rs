use burn::{
    module::{Flag, Module, Param, RunningState},
    tensor::{
        Tensor,
        module::{batch_norm, batch_norm_train},
    },
};

use crate::init::Init;

/// Batch normalisation over every dimension but the channels (dimension 1), for any rank.
///
/// It differs from Burn's stock layer in one number: the running variance follows the *unbiased* batch
/// variance, n/(n−1) times the biased one that normalises the batch, as PyTorch does. A batch with a
/// single value per channel has no unbiased variance; it counts as 0 here (PyTorch refuses such a batch,
/// and so does the learner, before it trains).
#[derive(Module, Debug)]
pub struct BatchNorm {
    /// Scale, shape `[channels]`.
    pub weight: Param<Tensor<1>>,
    /// Shift, shape `[channels]`.
    pub bias: Param<Tensor<1>>,
    /// Whether the layer uses and records batch statistics on an autodiff device.
    pub training: Param<Flag>,
    /// Exponential moving average of the batch mean, shape `[channels]`.
    pub running_mean: RunningState<Tensor<1>>,
    /// Exponential moving average of the unbiased batch variance, shape `[channels]`.
    pub running_var: RunningState<Tensor<1>>,
    #[module(skip)]
    momentum: f64,
    #[module(skip)]
    epsilon: f64,
}

impl BatchNorm {
    /// A layer with weight 1, bias 0, mean 0, variance 1; momentum 0.1, epsilon 1e-5.
    pub fn new(channels: usize, init: &Init) -> Self {
        Self {
            weight: init.ones([channels]),
            bias: init.zeros([channels]),
            training: Param::from_bool(true),
            running_mean: RunningState::new(Tensor::zeros([channels], init.device())),
            running_var: RunningState::new(Tensor::ones([channels], init.device())),
            momentum: 0.1,
            epsilon: 1e-5,
        }
    }

    /// Sets the share of a new batch in the running statistics.
    pub fn with_momentum(mut self, momentum: f64) -> Self {
        self.momentum = momentum;
        self
    }

    /// The share of a new batch in the running statistics.
    pub fn momentum(&self) -> f64 {
        self.momentum
    }

    /// What is added to the variance before its square root is taken.
    pub fn epsilon(&self) -> f64 {
        self.epsilon
    }

    /// Normalises `[batch, channels, ..]`.
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        let device = x.device();
        let (weight, bias) = (self.weight.val(), self.bias.val());
        if !(device.is_autodiff() && self.training.is_enabled()) {
            let mean = self.running_mean.value_sync().to_device(&device);
            let var = self.running_var.value_sync().to_device(&device);
            return batch_norm(x, weight, bias, mean, var, self.epsilon);
        }
        let shape = x.dims();
        let count = shape.iter().product::<usize>() / shape[1].max(1);
        let unbias = if count > 1 {
            count as f64 / (count - 1) as f64
        } else {
            0.0
        };
        let out = batch_norm_train(x, weight, bias, self.epsilon);
        blend(&self.running_mean, out.mean, self.momentum, 1.0);
        blend(&self.running_var, out.variance, self.momentum, unbias);
        out.output
    }
}

/// `state ← (1 − momentum)·state + momentum·scale·batch`.
///
/// The value is synced at once. Burn merges pending updates of several threads lazily, which lets a
/// visitor read a stale value and a later sync overwrite a loaded one; one thread trains a model here.
fn blend(state: &RunningState<Tensor<1>>, batch: Tensor<1>, momentum: f64, scale: f64) {
    let batch = batch.detach();
    let old = state.value_sync().to_device(&batch.device());
    let new = old
        .mul_scalar(1.0 - momentum)
        .add(batch.mul_scalar(momentum * scale));
    state.update(new.detach());
    state.value_sync();
}
