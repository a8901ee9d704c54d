//! The mask of the ReLU after a batch normalization.

use super::{BatchNorm, Forward};
use crate::blocks;
use crate::isa::Lanes;

/// Where the gradient passes through the ReLU.
#[derive(Clone, Copy)]
pub(super) enum Mask<'a> {
    /// Everywhere: there is no ReLU.
    None,
    /// Where this output is above 0 or NaN.
    Output(&'a [f32]),
    /// Where the affine map gives a value above 0 or NaN.
    FromInput,
}

impl<'a> Mask<'a> {
    pub(super) fn new(args: &BatchNorm, forward: &Forward<'a>) -> Self {
        match (args.relu, forward.y) {
            (false, _) => Self::None,
            (true, Some(y)) => Self::Output(y),
            (true, None) => Self::FromInput,
        }
    }

    pub(super) fn blocks(self, size: usize) -> impl Iterator<Item = Self> {
        let output = match self {
            Self::Output(y) => Some(y),
            Self::None | Self::FromInput => None,
        };
        blocks::optional(output, size).map(move |y| y.map_or(self, Self::Output))
    }
}

// The mask as a constant, which specializes the loops.
pub(super) const NONE: u8 = 0;
pub(super) const OUTPUT: u8 = 1;
pub(super) const FROM_INPUT: u8 = 2;

/// The gradient `g` where the mask lets it pass, otherwise 0.
#[inline(always)]
pub(super) fn masked<L: Lanes, const MASK: u8>(
    g: f32,
    y: f32,
    d: f32,
    scale: f32,
    shift: f32,
) -> f32 {
    let y = match MASK {
        NONE => return g,
        OUTPUT => y,
        // The same bits as in the forward pass before its ReLU.
        _ => L::mul_add(d, scale, shift),
    };
    if y <= 0.0 { 0.0 } else { g }
}
