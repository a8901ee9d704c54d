//! Losses, each with the activation that turns its logits into probabilities.

use burn::tensor::{
    Int, Tensor,
    activation::{log_softmax, softmax},
};

/// A classification loss.
///
/// The activation belongs to the loss, so that `predict` gives probabilities whatever the loss is
/// (fastai v1 gives raw logits for every loss that it does not know).
pub trait Loss: std::fmt::Debug + Send + Sync {
    /// The loss of each item: logits `[batch, classes]`, targets `[batch]`, result `[batch]`.
    fn per_item(&self, logits: Tensor<2>, targets: Tensor<1, Int>) -> Tensor<1>;

    /// Probabilities from logits, both `[batch, classes]`.
    fn activation(&self, logits: Tensor<2>) -> Tensor<2> {
        softmax(logits, 1)
    }

    /// The mean over the batch, shape `[1]`: what training minimises.
    fn mean(&self, logits: Tensor<2>, targets: Tensor<1, Int>) -> Tensor<1> {
        self.per_item(logits, targets).mean()
    }
}

/// Cross-entropy of the softmax of the logits: −log p(target).
#[derive(Clone, Copy, Debug, Default)]
pub struct CrossEntropy;

impl Loss for CrossEntropy {
    fn per_item(&self, logits: Tensor<2>, targets: Tensor<1, Int>) -> Tensor<1> {
        let targets = targets.unsqueeze_dim(1);
        log_softmax(logits, 1)
            .gather(1, targets)
            .neg()
            .squeeze_dim(1)
    }
}
