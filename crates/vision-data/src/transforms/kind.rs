//! What every transform has to say of itself.

use std::sync::Arc;

use crate::pipeline::step::Step;
use crate::rng::Rng;
use crate::transforms::bounds::Bounds;

/// Where the transforms come in the order of application. It is fastai's.
pub(crate) mod order {
    /// What is cut out of the image as it is in the file, before it is resized.
    pub(crate) const PART: i8 = -20;
    /// From here on the image has been resized.
    pub(crate) const PAD: i8 = -10;
    /// Moves of coordinates.
    pub(crate) const COORDINATES: i8 = 4;
    pub(crate) const AFFINE: i8 = 5;
    pub(crate) const LIGHTING: i8 = 8;
    pub(crate) const PIXELS: i8 = 10;
    pub(crate) const CUTOUT: i8 = 20;
    /// The crop to the size of the data. One is made here even if no transform asks for it.
    pub(crate) const CROP_PAD: i8 = 99;
    /// 8-bit images of their final size.
    pub(crate) const FINISHED: i8 = 100;
}

/// A kind of transform. Everything about a built-in one is in the file of its struct.
pub(crate) trait Kind {
    /// One of [`order`].
    fn order(&self) -> i8;

    /// The probability that it happens. [`probability`] writes this, and the two that follow.
    fn p(&self) -> f64 {
        1.0
    }

    /// Changes the probability, if it has one.
    fn set_p(&mut self, _: f64) {}

    /// What the message says if the probability is none.
    fn p_expected(&self) -> &'static str {
        "a probability `p` in [0, 1]"
    }

    /// Checks the numbers; on failure what was expected, which names the field.
    fn check(&self) -> Result<(), &'static str>;

    /// Draws what happens to one item.
    fn draw(&self, rng: &mut Rng) -> Arc<dyn Step>;

    /// Whether it resizes to the size of the data, which therefore has to have one.
    fn needs_size(&self) -> bool {
        false
    }

    /// The pixels that it adds on each side.
    fn padding(&self) -> u32 {
        0
    }

    /// What it does to the shape of an image.
    fn shape(&self) -> Shape {
        Shape::Kept
    }
}

/// What a transform does to height and width.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// They stay as they are, or become those of the data.
    Kept,
    /// They may be swapped.
    Swapped,
    /// Every image gets a size that the transform says.
    Own,
}

/// Implements the methods of [`Kind`] about a probability for a struct with a field `p`. With the name of the
/// argument of `get_transforms` that sets it, the message names that too.
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

/// The first rule that does not hold.
pub(crate) fn rules<const N: usize>(rules: [(bool, &'static str); N]) -> Result<(), &'static str> {
    match rules.into_iter().find(|(holds, _)| !holds) {
        Some((_, expected)) => Err(expected),
        None => Ok(()),
    }
}

/// The rule for bounds of places, from 0 (top, left) to 1 (bottom, right).
pub(crate) fn places(row: &Bounds, col: &Bounds) -> (bool, &'static str) {
    let within = row.within(0.0, 1.0) && col.within(0.0, 1.0);
    (within, "`row` and `col` in order within [0, 1]")
}

/// The rule for magnitudes of warps.
pub(crate) fn magnitudes(magnitudes: &[Bounds]) -> (bool, &'static str) {
    let within = magnitudes.iter().all(|m| m.within(-0.5, 0.5));
    (within, "`magnitude` in order within [-0.5, 0.5]")
}
