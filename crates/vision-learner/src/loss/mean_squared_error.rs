//! Mean squared error.

use burn::tensor::Tensor;
use vision_data::TargetKind;

use crate::Result;
use crate::loss::{Loss, Output};
use crate::model::target::TargetTensor;

/// Mean squared error for numbers; the outputs are the predictions. The default for numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MeanSquaredError;

impl Loss for MeanSquaredError {
    fn kind(&self) -> TargetKind {
        TargetKind::Float
    }

    fn per_item(&self, outputs: Tensor<2>, targets: TargetTensor) -> Result<Tensor<1>> {
        let difference = outputs - targets.rows(self.kind())?;
        let squares = difference.clone() * difference;
        Ok(squares.mean_dim(1).squeeze_dim(1))
    }

    fn output(&self) -> Output {
        Output::Identity
    }
}
