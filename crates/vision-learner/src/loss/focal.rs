//! Focal loss.

use burn::tensor::Tensor;
use burn::tensor::activation::log_softmax;
use vision_base::OptionError;

use crate::Result;
use crate::loss::{Loss, checked_weights, class_weights, fitting};
use crate::model::target::TargetTensor;

/// Focal loss (Lin et al. 2017, <https://arxiv.org/abs/1708.02002>) of the softmax: −(1 − p)^γ · log p, where
/// p is the probability of the item's class. Items that are right already count less: for imbalanced
/// classes.
#[doc(alias = "FocalLoss")]
#[derive(Clone, Debug, PartialEq)]
pub struct Focal {
    gamma: f64,
    weights: Option<Vec<f32>>,
}

impl Default for Focal {
    /// γ = 2, the paper's.
    fn default() -> Self {
        Self {
            gamma: 2.0,
            weights: None,
        }
    }
}

impl Focal {
    /// Sets γ; 0 gives cross-entropy. Default: 2.
    ///
    /// # Errors
    ///
    /// [`Error::Option`](crate::Error::Option) unless it is from 0 to 100.
    pub fn with_gamma(mut self, gamma: f64) -> Result<Self> {
        if !(0.0..=100.0).contains(&gamma) {
            return Err(OptionError::new("gamma", "a number from 0 to 100", gamma).into());
        }
        self.gamma = gamma;
        Ok(self)
    }

    /// Sets one weight per class (the paper's α), in the order of the data's classes. Default: all 1. The
    /// mean divides by the sum of the items' weights, as that of [`CrossEntropy`](crate::CrossEntropy).
    ///
    /// # Errors
    ///
    /// [`Error::Option`](crate::Error::Option) if a weight is not from 0 to 1e30, or if none is positive.
    pub fn with_weights(mut self, weights: impl Into<Vec<f32>>) -> Result<Self> {
        self.weights = Some(checked_weights(weights.into())?);
        Ok(self)
    }
}

impl Loss for Focal {
    fn per_item(&self, logits: Tensor<2>, targets: TargetTensor) -> Result<Tensor<1>> {
        fitting(self.weights.as_deref(), &logits)?;
        let weights = self.item_weights(targets.clone())?;
        let classes = targets.classes()?.unsqueeze_dim(1);
        let log = log_softmax(logits, 1)
            .gather(1, classes)
            .squeeze_dim::<1>(1);
        // The root of a wrongness of 0 has no gradient.
        let wrong = log
            .clone()
            .exp()
            .neg()
            .add_scalar(1.0)
            .clamp_min(f32::EPSILON);
        let loss = wrong.powf_scalar(self.gamma) * log.neg();
        Ok(match weights {
            Some(weights) => loss * weights,
            None => loss,
        })
    }

    fn item_weights(&self, targets: TargetTensor) -> Result<Option<Tensor<1>>> {
        class_weights(self.weights.as_deref(), targets)
    }
}
