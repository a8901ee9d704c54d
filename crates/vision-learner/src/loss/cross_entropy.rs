//! Cross-entropy.

use burn::tensor::Tensor;
use vision_kernels::ops;

use crate::Result;
use crate::loss::{Loss, checked_smoothing, checked_weights, class_weights, fitting};
use crate::model::target::TargetTensor;

/// Cross-entropy of the softmax of the logits, −log p(target), with PyTorch's label smoothing and class
/// weights. The default for one class per item.
///
/// With class weights, the mean divides by the sum of the items' weights, as in PyTorch.
///
/// ```
/// use vision_learner::CrossEntropy;
/// let loss = CrossEntropy::default().with_smoothing(0.1)?.with_weights([1.0, 5.0])?;
/// # Ok::<(), vision_learner::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CrossEntropy {
    smoothing: f64,
    weights: Option<Vec<f32>>,
}

impl CrossEntropy {
    /// With the weights of the data, which are valid.
    pub(super) fn of_data(weights: Option<Vec<f32>>) -> Self {
        Self {
            weights,
            ..Self::default()
        }
    }

    /// Sets label smoothing: this share of each target is spread evenly over all classes, the target's
    /// own included. fastai's `LabelSmoothingCrossEntropy` uses 0.1. Default: 0.
    ///
    /// # Errors
    ///
    /// [`Error::Option`](crate::Error::Option) unless it is at least 0 and below 1.
    #[doc(alias = "LabelSmoothingCrossEntropy")]
    pub fn with_smoothing(mut self, part: f64) -> Result<Self> {
        self.smoothing = checked_smoothing(part)?;
        Ok(self)
    }

    /// Sets one weight per class, in the order of the data's classes. Default: all 1.
    ///
    /// # Errors
    ///
    /// [`Error::Option`](crate::Error::Option) if a weight is not from 0 to 1e30, or if none is positive.
    pub fn with_weights(mut self, weights: impl Into<Vec<f32>>) -> Result<Self> {
        self.weights = Some(checked_weights(weights.into())?);
        Ok(self)
    }
}

impl Loss for CrossEntropy {
    fn per_item(&self, logits: Tensor<2>, targets: TargetTensor) -> Result<Tensor<1>> {
        let weights = fitting(self.weights.as_deref(), &logits)?;
        let targets = targets.classes()?;
        Ok(ops::cross_entropy(logits, targets, self.smoothing, weights))
    }

    fn item_weights(&self, targets: TargetTensor) -> Result<Option<Tensor<1>>> {
        class_weights(self.weights.as_deref(), targets)
    }
}
