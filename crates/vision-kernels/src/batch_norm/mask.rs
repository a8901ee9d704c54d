//! The gradient of the activation after a batch normalization.

use std::marker::PhantomData;

use super::{BatchNorm, Forward};
use crate::activation::Activation;
use crate::activation::function::Function;
use crate::blocks;
use crate::isa::Lanes;

/// How the gradient passes through the activation.
#[derive(Clone, Copy)]
pub(super) enum Mask<'a> {
    /// Unchanged: there is no activation.
    None,
    /// By this output of the function.
    Output(Activation, &'a [f32]),
    /// By what the affine map gives again.
    FromInput(Activation),
}

impl<'a> Mask<'a> {
    pub(super) fn new(args: &BatchNorm, forward: &Forward<'a>) -> Self {
        match (args.activation, forward.y) {
            (None, _) => Self::None,
            (Some(function), Some(y)) if function.saves_output() => Self::Output(function, y),
            (Some(function), _) => Self::FromInput(function),
        }
    }

    pub(super) fn blocks(self, size: usize) -> impl Iterator<Item = Self> {
        let output = match self {
            Self::Output(_, y) => Some(y),
            Self::None | Self::FromInput(_) => None,
        };
        blocks::optional(output, size).map(move |y| match (self, y) {
            (Self::Output(function, _), Some(y)) => Self::Output(function, y),
            _ => self,
        })
    }
}

/// A [`Mask`] as a type, which specializes the loops.
pub(super) trait Gate {
    /// Whether the output is read.
    const READS: bool;

    /// What passes of the gradient `g`: at the output `y`, or at the distance `d` from the mean.
    fn pass<L: Lanes>(g: f32, y: f32, d: f32, scale: f32, shift: f32) -> f32;
}

/// See [`Mask::None`].
pub(super) struct Open;
/// See [`Mask::Output`].
pub(super) struct OfOutput<F>(PhantomData<F>);
/// See [`Mask::FromInput`].
pub(super) struct OfInput<F>(PhantomData<F>);

impl Gate for Open {
    const READS: bool = false;

    #[inline(always)]
    fn pass<L: Lanes>(g: f32, _y: f32, _d: f32, _scale: f32, _shift: f32) -> f32 {
        g
    }
}

impl<F: Function> Gate for OfOutput<F> {
    const READS: bool = true;

    #[inline(always)]
    fn pass<L: Lanes>(g: f32, y: f32, _d: f32, _scale: f32, _shift: f32) -> f32 {
        F::gradient_of_output(y, g)
    }
}

impl<F: Function> Gate for OfInput<F> {
    const READS: bool = false;

    #[inline(always)]
    fn pass<L: Lanes>(g: f32, _y: f32, d: f32, scale: f32, shift: f32) -> f32 {
        // The same bits as in the forward pass before its function.
        F::gradient::<L>(L::mul_add(d, scale, shift), g)
    }
}

/// Evaluates `$body` with the gate's type and the output that it reads, if any.
macro_rules! with_gate {
    ($mask:expr, |$G:ident, $y:ident| $body:expr) => {{
        use $crate::activation::function::with_function;
        use $crate::batch_norm::mask::{Mask, OfInput, OfOutput, Open};
        match $mask {
            Mask::None => {
                type $G = Open;
                let $y: &[f32] = &[];
                $body
            }
            Mask::Output(function, $y) => with_function!(Some(function), |F| {
                type $G = OfOutput<F>;
                $body
            }),
            Mask::FromInput(function) => with_function!(Some(function), |F| {
                type $G = OfInput<F>;
                let $y: &[f32] = &[];
                $body
            }),
        }
    }};
}
pub(super) use with_gate;
