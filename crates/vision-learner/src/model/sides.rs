//! The sides of images that a model takes.

use vision_models::layers::nearest_multiple;

use crate::{Error, Result};

/// What a model demands of the height and the width of images, in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sides {
    pub(crate) least: usize,
    /// Sides are multiples of this number.
    pub(crate) multiple: usize,
}

impl Sides {
    /// Any sides.
    pub(crate) const ANY: Self = Self {
        least: 1,
        multiple: 1,
    };

    /// Checks a height and a width.
    pub(crate) fn check(self, arch: &str, size: [usize; 2]) -> Result<()> {
        let arch = || arch.to_owned();
        if size[0].min(size[1]) < self.least {
            return Err(Error::ImageTooSmall {
                arch: arch(),
                expected: self.least,
                found: size,
            });
        }
        let nearest = size.map(|side| nearest_multiple(side, self.multiple));
        if nearest != size {
            return Err(Error::ImageSides {
                arch: arch(),
                multiple: self.multiple,
                found: size,
                nearest,
            });
        }
        Ok(())
    }
}
