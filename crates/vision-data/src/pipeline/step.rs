//! One transform with all its numbers drawn.

use std::any::Any;
use std::error::Error;
use std::fmt;
use std::path::Path;

use crate::pipeline::canvas::Canvas;
use crate::transforms::error::TransformError;
use crate::transforms::resizing::Resizing;

/// What one transform does to one item. (`Any` is for tests, which look at what was drawn.)
pub(crate) trait Step: Any + fmt::Debug + Send + Sync {
    /// Does it. The canvas gathers as much as it can before it touches a pixel.
    ///
    /// # Errors
    ///
    /// None of a built-in transform.
    fn apply<'a>(&'a self, canvas: &mut Canvas<'a>) -> Result<(), Failed>;

    /// The numbers, in words, for an image of height and width `source`; empty if there are none.
    fn words(&self, source: (usize, usize), resizing: &Resizing) -> String;

    /// Whether it crops to the size of the data.
    fn crops(&self) -> bool {
        false
    }
}

/// A transform that failed, on an image that only the caller knows by name.
#[derive(Debug)]
pub(crate) struct Failed {
    pub(crate) transform: String,
    pub(crate) source: Box<dyn Error + Send + Sync>,
}

impl Failed {
    /// With the file of the image, or a word for one in memory.
    pub(crate) fn on(self, image: &Path) -> TransformError {
        TransformError::Failed {
            transform: self.transform,
            image: image.to_owned(),
            source: self.source,
        }
    }
}
