//! The same data with other validation transforms.

use std::sync::Arc;

use crate::databunch::ImageDataBunch;
use crate::error::Result;
use crate::pipeline::Pipeline;
use crate::transforms::lists::Transforms;
use crate::transforms::transform::Transform;

impl ImageDataBunch {
    /// The same images with other transforms for validation, testing and prediction. Keeps the split, the resizing and
    /// the cached decoded images.
    ///
    /// ```
    /// # use vision_data::{DatasetType, ImageDataBunch, Transform};
    /// # use vision_data::datasets::synthetic;
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = synthetic::digits(&folder.path().join("digits"), 1, 20, 5)?;
    /// let data = ImageDataBunch::from_folder(&path).batch_size(8).build()?;
    /// let mirrored = data.clone().with_valid_transforms([Transform::flip_lr()])?;
    /// assert_ne!(mirrored.one_batch(DatasetType::Valid)?, data.one_batch(DatasetType::Valid)?);
    /// # Ok::<(), vision_data::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Option`](crate::Error::Option) for a number out of range, a transform that needs a size if there is none,
    /// and one that may swap height and width of images that are not square.
    pub fn with_valid_transforms(mut self, transforms: impl Into<Vec<Transform>>) -> Result<Self> {
        let transforms = Transforms {
            train: self.transforms.train.clone(),
            valid: transforms.into(),
        };
        transforms.usable()?;
        let pipeline = Pipeline::new(&transforms.valid, self.resizing)?;
        pipeline.check_shape()?;
        self.valid_pipeline = Arc::new(pipeline);
        self.transforms = Arc::new(transforms);
        Ok(self)
    }

    /// The same data with other random numbers for validation transforms that are random. The numbers of an item depend
    /// on the seed, on `draw` and on its position. Default: 0.
    pub fn with_valid_draw(mut self, draw: u64) -> Self {
        self.valid_draw = draw;
        self
    }
}
