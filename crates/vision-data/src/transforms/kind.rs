//! The interface that every transform implements.

use std::sync::Arc;

use crate::pipeline::step::Step;
use crate::rng::Rng;
use crate::transforms::bounds::Bounds;

/// The positions of the transforms in the order of application, which is fastai's.
pub(crate) mod order {
    /// Crops of the original image, before it is resized.
    pub(crate) const PART: i8 = -20;
    /// From here on, the image is resized.
    pub(crate) const PAD: i8 = -10;
    /// Transforms of coordinates.
    pub(crate) const COORDINATES: i8 = 4;
    pub(crate) const AFFINE: i8 = 5;
    pub(crate) const LIGHTING: i8 = 8;
    pub(crate) const PIXELS: i8 = 10;
    pub(crate) const CUTOUT: i8 = 20;
    /// The crop to the size of the data. It is applied even if no transform asks for it.
    pub(crate) const CROP_PAD: i8 = 99;
    /// Transforms of 8-bit images of their final size.
    pub(crate) const FINISHED: i8 = 100;
}

/// The interface of a transform. Everything about a built-in transform is in the file of its struct.
pub(crate) trait Kind {
    /// Its position; for built-in transforms one of [`order`].
    fn order(&self) -> i8;

    /// The probability that it is applied. [`probability`] implements this and the next two methods.
    fn p(&self) -> f64 {
        1.0
    }

    /// Changes the probability, if it has one.
    fn set_p(&mut self, _: f64) {}

    /// What an error expects if the probability is invalid.
    fn p_expected(&self) -> &'static str {
        "a probability `p` in [0, 1]"
    }

    /// Checks the parameters; on failure returns what is expected, including the field's name.
    fn check(&self) -> Result<(), &'static str>;

    /// Draws what is applied to one item.
    fn draw(&self, rng: &mut Rng) -> Arc<dyn Step>;

    /// Whether it resizes to the size of the data, which is then required.
    fn needs_size(&self) -> bool {
        false
    }

    /// The number of pixels it adds on each side.
    fn padding(&self) -> u32 {
        0
    }

    /// How it changes the shape of an image.
    fn shape(&self) -> Shape {
        Shape::Kept
    }
}

/// How a transform changes height and width.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// They do not change, or become those of the data.
    Kept,
    /// They may be swapped.
    Swapped,
    /// Every image gets a size that the transform defines.
    Own,
}

/// Implements the probability methods of [`Kind`] for a struct with a field `p`. If given the name of the
/// argument of `get_transforms` that sets the field, errors name that too.
macro_rules! probability {
    () => {
        fn p(&self) -> f64 {
            self.p
        }

        fn set_p(&mut self, p: f64) {
            self.p = p;
        }
    };
    ($argument:literal) => {
        $crate::transforms::kind::probability!();

        fn p_expected(&self) -> &'static str {
            concat!(
                "a probability `p` in [0, 1] (`",
                $argument,
                "` of `get_transforms`)"
            )
        }
    };
}

pub(crate) use probability;

/// The first rule that is violated.
pub(crate) fn rules<const N: usize>(rules: [(bool, &'static str); N]) -> Result<(), &'static str> {
    match rules.into_iter().find(|(holds, _)| !holds) {
        Some((_, expected)) => Err(expected),
        None => Ok(()),
    }
}

/// The rule for bounds of positions, from 0 (top, left) to 1 (bottom, right).
pub(crate) fn places(row: &Bounds, col: &Bounds) -> (bool, &'static str) {
    let within = row.within(0.0, 1.0) && col.within(0.0, 1.0);
    (within, "`row` and `col` with low <= high, both in [0, 1]")
}

/// The rule for magnitudes of warps.
pub(crate) fn magnitudes(magnitudes: &[Bounds]) -> (bool, &'static str) {
    let within = magnitudes.iter().all(|m| m.within(-0.5, 0.5));
    (within, "`magnitude` with low <= high, both in [-0.5, 0.5]")
}
