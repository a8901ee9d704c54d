//! Batch targets on a device.

use burn::tensor::{Device, Int, Tensor};
use vision_data::{Error, LabelError, Result, TargetKind, Targets};

/// The labels of a batch on a device.
#[derive(Clone, Debug)]
pub enum TargetTensor {
    /// One class per item: class indices, `[batch]`.
    Classes(Tensor<1, Int>),
    /// Several classes per item, as zeros and ones, or numbers: `[batch, outputs]`.
    Rows(Tensor<2>),
}

impl TargetTensor {
    /// Moves labels to a device, for data of the given kind and a model with the given number of
    /// outputs. Items without labels get zeros, as in fastai.
    ///
    /// # Errors
    ///
    /// [`LabelError::WrongKind`] if the labels are of another kind.
    pub fn new(
        labels: &Targets,
        kind: TargetKind,
        outputs: usize,
        device: &Device,
    ) -> Result<Self> {
        Ok(match (kind, labels) {
            (TargetKind::Category, _) => Self::Classes(labels.to_int(device)?),
            (_, Targets::Empty(items)) => Self::Rows(Tensor::zeros([*items, outputs], device)),
            _ => Self::Rows(labels.to_float(device)),
        })
    }

    /// The class indices, `[batch]`.
    ///
    /// # Errors
    ///
    /// [`LabelError::WrongKind`] if the items do not have one class each.
    pub fn classes(self) -> Result<Tensor<1, Int>> {
        match self {
            Self::Classes(classes) => Ok(classes),
            Self::Rows(_) => Err(Error::Label(LabelError::WrongKind {
                expected: TargetKind::Category,
                found: TargetKind::Float,
            })),
        }
    }

    /// The rows, `[batch, outputs]`; `expected` is used in the error message.
    ///
    /// # Errors
    ///
    /// [`LabelError::WrongKind`] if the items have one class each.
    pub fn rows(self, expected: TargetKind) -> Result<Tensor<2>> {
        match self {
            Self::Rows(rows) => Ok(rows),
            Self::Classes(_) => Err(Error::Label(LabelError::WrongKind {
                expected,
                found: TargetKind::Category,
            })),
        }
    }

    /// The items at these positions of the batch, `[items]`.
    pub fn select(&self, items: Tensor<1, Int>) -> Self {
        match self {
            Self::Classes(classes) => Self::Classes(classes.clone().select(0, items)),
            Self::Rows(rows) => Self::Rows(rows.clone().select(0, items)),
        }
    }
}
