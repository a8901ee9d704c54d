//! Binary cross-entropy.

use burn::tensor::Tensor;
use vision_data::TargetKind;
use vision_kernels::ops;

use crate::Result;
use crate::loss::{Loss, Output, checked_smoothing, checked_weights, fitting};
use crate::model::target::TargetTensor;

/// Binary cross-entropy of the sigmoid of each logit, computed without overflow. The default for several
/// classes per item.
///
/// An item's loss is the mean over the classes, so that the mean over items is PyTorch's
/// `BCEWithLogitsLoss(pos_weight)`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BinaryCrossEntropy {
    weights: Option<Vec<f32>>,
    smoothing: f64,
}

impl BinaryCrossEntropy {
    /// With the weights of the data, which are valid.
    pub(super) fn of_data(weights: Option<Vec<f32>>) -> Self {
        Self {
            weights,
            ..Self::default()
        }
    }

    /// Sets the positive weight per class, in the order of the data's classes: how much an item that has
    /// the class counts relative to one that does not. Default: all 1.
    ///
    /// # Errors
    ///
    /// [`Error::Option`](crate::Error::Option) if a weight is not from 0 to 1e30, or if none is positive.
    pub fn with_pos_weights(mut self, weights: impl Into<Vec<f32>>) -> Result<Self> {
        self.weights = Some(checked_weights(weights.into())?);
        Ok(self)
    }
}

impl BinaryCrossEntropy {
    /// Sets label smoothing: a target becomes `t (1 − s) + s/2`. Default: 0.
    ///
    /// # Errors
    ///
    /// [`Error::Option`](crate::Error::Option) unless it is at least 0 and below 1.
    pub fn with_smoothing(mut self, part: f64) -> Result<Self> {
        self.smoothing = checked_smoothing(part)?;
        Ok(self)
    }
}

impl Loss for BinaryCrossEntropy {
    fn kind(&self) -> TargetKind {
        TargetKind::MultiCategory
    }

    fn per_item(&self, logits: Tensor<2>, targets: TargetTensor) -> Result<Tensor<1>> {
        let weights = fitting(self.weights.as_deref(), &logits)?;
        let mut targets = targets.rows(self.kind())?;
        if self.smoothing > 0.0 {
            targets = targets
                .mul_scalar(1.0 - self.smoothing)
                .add_scalar(self.smoothing / 2.0);
        }
        Ok(ops::binary_cross_entropy(logits, targets, weights))
    }

    fn output(&self) -> Output {
        Output::Sigmoid
    }
}
