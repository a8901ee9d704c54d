//! Lists of transforms for training and for evaluation.

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::transforms::transform::Transform;

/// The transforms of the training images, and those of all other images.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Transforms {
    /// For training.
    pub train: Vec<Transform>,
    /// For validation, testing and prediction.
    pub valid: Vec<Transform>,
}

impl Transforms {
    /// Checks that custom transforms are registered and usable.
    pub(crate) fn usable(&self) -> Result<()> {
        for transform in self.train.iter().chain(&self.valid) {
            if let Transform::Custom(custom) = transform {
                custom.usable()?;
            }
        }
        Ok(())
    }

    /// Checks every transform.
    ///
    /// # Errors
    ///
    /// As [`Transform::check`].
    pub fn check(&self) -> Result<()> {
        self.train
            .iter()
            .chain(&self.valid)
            .try_for_each(Transform::check)
    }
}

/// fastai's pair of lists: for training, and for everything else.
impl From<(Vec<Transform>, Vec<Transform>)> for Transforms {
    fn from((train, valid): (Vec<Transform>, Vec<Transform>)) -> Self {
        Self { train, valid }
    }
}
