//! Cross-entropy with probabilities as targets.

use burn::tensor::Tensor;
use burn::tensor::activation::log_softmax;
use vision_data::TargetKind;

use crate::Result;
use crate::loss::Loss;
use crate::model::target::TargetTensor;

/// Cross-entropy of the softmax with a probability for each class as the target, −Σ t · log p: labels of
/// several raters, or the predictions of another model. The labels are numbers, one per class, that sum
/// to 1. PyTorch's `CrossEntropyLoss` with such targets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SoftTargets;

impl Loss for SoftTargets {
    fn kind(&self) -> TargetKind {
        TargetKind::Float
    }

    fn per_item(&self, logits: Tensor<2>, targets: TargetTensor) -> Result<Tensor<1>> {
        let targets = targets.rows(self.kind())?;
        let products = log_softmax(logits, 1) * targets;
        Ok(products.sum_dim(1).squeeze_dim::<1>(1).neg())
    }
}
