//! What is done to an image besides resizing, as data.
//!
//! A list of [`Transform`]s says what may happen to an image, how likely it is and within which
//! bounds. What does happen to one image is drawn from (seed, epoch, index) alone. All moves of
//! pixels are composed into one map, so that an image is resampled once, however long the list.
//!
//! Written down as JSON, [`Transforms`] come back the same. What is misspelt is refused, and what is
//! out of bounds when the data is built:
//!
//! ```
//! use vision_data::{Transforms, get_transforms};
//!
//! let written = serde_json::to_string(&get_transforms()).unwrap();
//! assert_eq!(serde_json::from_str::<Transforms>(&written).unwrap(), get_transforms());
//!
//! let misspelt = r#"{"train": [{"rotat": {"degrees": [-9, 9], "p": 1}}], "valid": []}"#;
//! let error = serde_json::from_str::<Transforms>(misspelt).unwrap_err();
//! assert!(error.to_string().contains("unknown variant `rotat`, expected one of"));
//! ```

pub(crate) mod batch;
pub(crate) mod bounds;
pub(crate) mod check;
pub(crate) mod config;
pub(crate) mod padding;
pub mod presets;
pub(crate) mod resizing;
pub(crate) mod size;
pub(crate) mod transform;

use serde::{Deserialize, Serialize};

use crate::error::Result;
pub use crate::transforms::bounds::Bounds;
pub use crate::transforms::config::{TransformConfig, get_transforms};
pub use crate::transforms::transform::Transform;

/// The transforms of the training images, and those of all others.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Transforms {
    /// For training.
    pub train: Vec<Transform>,
    /// For validation, testing and prediction.
    pub valid: Vec<Transform>,
}

impl Transforms {
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

/// fastai's pair of lists: for training, and for all others.
impl From<(Vec<Transform>, Vec<Transform>)> for Transforms {
    fn from((train, valid): (Vec<Transform>, Vec<Transform>)) -> Self {
        Self { train, valid }
    }
}
