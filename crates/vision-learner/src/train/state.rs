//! The position in a run, and what callbacks can change at each event.

use std::path::PathBuf;
use std::time::Duration;

use burn::tensor::{Gradients, Tensor};

use crate::bundle::card::MetricValue;
use crate::model::target::TargetTensor;

/// The position in a run, and the switches that control it.
#[derive(Default)]
pub struct State {
    /// Epoch of this fit, from 0.
    pub epoch: usize,
    /// Number of epochs of this fit.
    pub n_epochs: usize,
    /// Training batches finished in this fit.
    pub iteration: usize,
    /// Training batches finished in this epoch.
    pub num_batch: usize,
    /// Number of batches in the current pass.
    pub batches: usize,
    /// Time in this epoch that training has waited for batches.
    pub waited: Duration,
    /// Whether this is a training batch.
    pub train: bool,
    /// Number of items of the batch, in all processes that share it.
    pub items: usize,
    /// The positions in the data set of those that are in this process, as are input, labels and outputs.
    pub indices: Vec<usize>,
    /// Images of the batch, `[batch, 3, height, width]`, or the features if these are cached.
    pub last_input: Option<Tensor<4>>,
    /// Labels of the batch. In a mixed batch, the labels of the images with weight λ.
    pub last_target: Option<TargetTensor>,
    /// Logits of the batch, `[batch, classes]`.
    pub last_output: Option<Tensor<2>>,
    /// Mean loss of the batch as a tensor of one value; the backward pass starts from it.
    pub loss: Option<Tensor<1>>,
    /// Gradients, from `on_backward_end` until the step.
    pub grads: Option<Gradients>,
    /// Mean loss of the batch. In training it is known from `on_backward_end` on: a GPU would have to wait if it were read
    /// before the backward pass.
    pub last_loss: f64,
    /// Exponential moving average (0.98) of the training loss over this fit, bias-corrected. It is updated with `last_loss`.
    pub smooth_loss: f64,
    /// Validation loss of the epoch, at `on_epoch_end`.
    pub valid_loss: Option<f64>,
    /// Names and values of the metrics of the epoch, at `on_epoch_end`.
    pub last_metrics: Vec<(String, f64)>,
    /// Skips the backward pass and the step of this batch.
    pub skip_backward: bool,
    /// Skips the step of this batch; its gradients are dropped.
    pub skip_step: bool,
    /// Skips validation at the end of this epoch.
    pub skip_validate: bool,
    /// Ends the current pass over the batches.
    pub stop_epoch: bool,
    /// Ends the run after this epoch.
    pub stop_training: bool,
    /// Whether a loss or a gradient that is NaN or infinite ends the run without an error, before its step. Default:
    /// false, an error.
    pub stop_if_not_finite: bool,
    /// Whether a loss or a gradient was NaN or infinite, at `on_train_end`.
    pub not_finite: bool,
    /// A checkpoint of this fit, made by [`Context::save`](crate::Context::save), whose weights, statistics and optimizer
    /// the learner takes over at the end of a fit without an error.
    pub reload: Option<PathBuf>,
    /// The scores of the weights in `reload`, `valid_loss` first: an exported model says them. Empty if they are not known.
    pub reload_scores: Vec<MetricValue>,
    /// Whether the run ended with an error, at `on_train_end`.
    pub failed: bool,
}

impl State {
    /// Drops everything that holds on to the autodiff graph.
    pub(crate) fn let_go(&mut self) {
        (self.last_input, self.last_output) = (None, None);
        (self.loss, self.grads) = (None, None);
    }
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State")
            .field("epoch", &self.epoch)
            .field("iteration", &self.iteration)
            .field("num_batch", &self.num_batch)
            .field("train", &self.train)
            .field("last_loss", &self.last_loss)
            .finish_non_exhaustive()
    }
}
