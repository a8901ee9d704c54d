use burn::module::{Flag, Module, Param, RunningState};
use burn::tensor::{Device, Tensor};
use vision_kernels::ops::{self, Activation, BatchNormEval};

use super::channels_last;
use crate::init::Init;

/// Batch normalization over every dimension but the channels (dimension 1), for any rank.
///
/// It differs from Burn's layer in one number: as in PyTorch, the running variance follows the
/// *unbiased* batch variance, n/(n−1) times the biased variance that normalizes the batch. A batch
/// with a single value per channel has no unbiased variance, and counts as 0 here. (PyTorch rejects
/// such a batch, and so does the learner before training.)
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

    /// Sets the weight of a new batch in the running statistics.
    pub fn with_momentum(mut self, momentum: f64) -> Self {
        self.momentum = momentum;
        self
    }

    /// Sets what is added to the variance before the square root: 1e-3 in networks that come from TensorFlow.
    pub fn with_epsilon(mut self, epsilon: f64) -> Self {
        self.epsilon = epsilon;
        self
    }

    /// The weight of a new batch in the running statistics.
    pub fn momentum(&self) -> f64 {
        self.momentum
    }

    /// Added to the variance before the square root.
    pub fn epsilon(&self) -> f64 {
        self.epsilon
    }

    /// Normalizes `[batch, channels, ..]`.
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        let shape = x.dims();
        let (batch, channels) = (shape[0], shape[1]);
        let pixels = shape[2..].iter().product();
        let x = x.reshape([batch, channels, pixels, 1]);
        channels_last(x, |x| self.run(x, None, None)).reshape(shape)
    }

    /// Normalizes `[batch, height, width, channels]`, adds a residual of that shape, applies an activation.
    pub(crate) fn run(
        &self,
        x: Tensor<4>,
        residual: Option<Tensor<4>>,
        activation: Option<Activation>,
    ) -> Tensor<4> {
        let device = x.device();
        if !self.uses_the_batch(&device) {
            return ops::batch_norm_eval(x, self.fixed(&device, activation), residual);
        }
        let affine = [self.weight.val(), self.bias.val()];
        let out = ops::batch_norm_training(x, affine, self.epsilon, residual, activation);
        // Of all processes, if several share the batch.
        let count = out.count;
        let unbias = if count > 1 {
            count as f64 / (count - 1) as f64
        } else {
            0.0
        };
        blend(&self.running_mean, out.mean, self.momentum, 1.0);
        blend(&self.running_var, out.variance, self.momentum, unbias);
        out.output
    }

    /// Whether the layer normalizes with the statistics of the batch, for input on `device`.
    pub(crate) fn uses_the_batch(&self, device: &Device) -> bool {
        device.is_autodiff() && self.training.is_enabled()
    }

    /// The layer with its running statistics, for evaluation.
    pub(crate) fn fixed(&self, device: &Device, activation: Option<Activation>) -> BatchNormEval {
        BatchNormEval {
            gamma: self.weight.val(),
            beta: self.bias.val(),
            mean: self.running_mean.value_sync().to_device(device),
            variance: self.running_var.value_sync().to_device(device),
            eps: self.epsilon,
            activation,
        }
    }
}

/// `state ← (1 − momentum)·state + momentum·scale·batch`.
///
/// The value is synced at once. Burn merges pending updates of several threads lazily: a visitor
/// could read a stale value, and a later sync could overwrite a loaded one. Here a single thread
/// trains a model.
fn blend(state: &RunningState<Tensor<1>>, batch: Tensor<1>, momentum: f64, scale: f64) {
    let batch = batch.detach();
    let old = state.value_sync().to_device(&batch.device());
    let new = old
        .mul_scalar(1.0 - momentum)
        .add(batch.mul_scalar(momentum * scale));
    state.update(new.detach());
    state.value_sync();
}
