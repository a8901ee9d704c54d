//! One transform with all its numbers drawn.

use std::any::Any;
use std::error::Error;
use std::fmt;
use std::path::Path;

use crate::pipeline::canvas::Canvas;
use crate::transforms::error::TransformError;
use crate::transforms::resizing::Resizing;

/// The effect of one transform on one item. (`Any` lets tests inspect the drawn numbers.)
pub(crate) trait Step: Any + fmt::Debug + Send + Sync {
    /// Applies the step. The canvas collects steps as long as possible before it computes pixels.
    ///
    /// # Errors
    ///
    /// Built-in transforms never fail.
    fn apply<'a>(&'a self, canvas: &mut Canvas<'a>) -> Result<(), Failed>;

    /// The drawn numbers in words, for an image of height and width `source`; empty if there are none.
    fn words(&self, source: (usize, usize), resizing: &Resizing) -> String;

    /// Whether it crops to the size of the data.
    fn crops(&self) -> bool {
        false
    }
}

/// The failure of a transform, before the name of the image is known.
#[derive(Debug)]
pub(crate) struct Failed {
    pub(crate) transform: String,
    pub(crate) source: Box<dyn Error + Send + Sync>,
}

impl Failed {
    /// Adds the file of the image, or a name for an image in memory.
    pub(crate) fn on(self, image: &Path) -> TransformError {
        TransformError::Failed {
            transform: self.transform,
            image: image.to_owned(),
            source: self.source,
        }
    }
}
