//! The functions as types, so that a loop is compiled for each.

use super::math::{normal, sigmoid, sigmoids};
use crate::isa::Lanes;

/// A function of each value, and its gradient. As in PyTorch for NaN, infinities and kinks.
pub(crate) trait Function: Send + Sync {
    /// Whether the gradient is computed from the output, and otherwise from the input.
    const OF_OUTPUT: bool;
    /// Whether it is cheap to compute again what the gradient needs.
    const CHEAP: bool;

    /// The function.
    fn value<L: Lanes>(x: f32) -> f32;

    /// The gradient of the input, from the input and the gradient of the output.
    fn gradient<L: Lanes>(x: f32, dy: f32) -> f32;

    /// The gradient of the input, from the output and its gradient. Only with [`Self::OF_OUTPUT`].
    fn gradient_of_output(_y: f32, dy: f32) -> f32 {
        dy
    }
}

/// No function.
pub(crate) struct Identity;
/// See [`super::Activation`].
pub(crate) struct Relu;
/// See [`super::Activation`].
pub(crate) struct Relu6;
/// See [`super::Activation`].
pub(crate) struct Silu;
/// See [`super::Activation`].
pub(crate) struct HardSwish;
/// See [`super::Activation`].
pub(crate) struct HardSigmoid;
/// See [`super::Activation`].
pub(crate) struct Sigmoid;
/// See [`super::Activation`].
pub(crate) struct Gelu;

impl Function for Identity {
    const OF_OUTPUT: bool = true;
    const CHEAP: bool = true;

    #[inline(always)]
    fn value<L: Lanes>(x: f32) -> f32 {
        x
    }

    #[inline(always)]
    fn gradient<L: Lanes>(_x: f32, dy: f32) -> f32 {
        dy
    }
}

/// `min(max(x, 0), most)`. Not `max` and `min`, which would turn NaN into a number.
#[inline(always)]
fn clamp(x: f32, most: f32) -> f32 {
    let x = if x < 0.0 { 0.0 } else { x };
    if x > most { most } else { x }
}

impl Function for Relu {
    const OF_OUTPUT: bool = true;
    const CHEAP: bool = true;

    #[inline(always)]
    fn value<L: Lanes>(x: f32) -> f32 {
        if x < 0.0 { 0.0 } else { x }
    }

    #[inline(always)]
    fn gradient<L: Lanes>(x: f32, dy: f32) -> f32 {
        Self::gradient_of_output(x, dy)
    }

    #[inline(always)]
    fn gradient_of_output(y: f32, dy: f32) -> f32 {
        if y <= 0.0 { 0.0 } else { dy }
    }
}

impl Function for Relu6 {
    const OF_OUTPUT: bool = true;
    const CHEAP: bool = true;

    #[inline(always)]
    fn value<L: Lanes>(x: f32) -> f32 {
        clamp(x, 6.0)
    }

    #[inline(always)]
    fn gradient<L: Lanes>(x: f32, dy: f32) -> f32 {
        Self::gradient_of_output(x, dy)
    }

    #[inline(always)]
    fn gradient_of_output(y: f32, dy: f32) -> f32 {
        if y <= 0.0 || y >= 6.0 { 0.0 } else { dy }
    }
}

impl Function for Silu {
    const OF_OUTPUT: bool = false;
    const CHEAP: bool = false;

    #[inline(always)]
    fn value<L: Lanes>(x: f32) -> f32 {
        x * sigmoid::<L>(x)
    }

    #[inline(always)]
    fn gradient<L: Lanes>(x: f32, dy: f32) -> f32 {
        let [s, rest] = sigmoids::<L>(x);
        dy * (s * L::mul_add(x, rest, 1.0))
    }
}

impl Function for HardSwish {
    const OF_OUTPUT: bool = false;
    const CHEAP: bool = true;

    #[inline(always)]
    fn value<L: Lanes>(x: f32) -> f32 {
        // Exactly 1 at 3 and above, so that large values stay as they are.
        x * (clamp(x + 3.0, 6.0) * (1.0 / 6.0))
    }

    #[inline(always)]
    fn gradient<L: Lanes>(x: f32, dy: f32) -> f32 {
        let inside = dy * L::mul_add(x, 1.0 / 3.0, 0.5);
        let right = if x >= 3.0 { dy } else { inside };
        if x <= -3.0 { 0.0 } else { right }
    }
}

impl Function for HardSigmoid {
    const OF_OUTPUT: bool = false;
    const CHEAP: bool = true;

    #[inline(always)]
    fn value<L: Lanes>(x: f32) -> f32 {
        clamp(x + 3.0, 6.0) * (1.0 / 6.0)
    }

    #[inline(always)]
    fn gradient<L: Lanes>(x: f32, dy: f32) -> f32 {
        // PyTorch passes nothing where the input is NaN.
        if x > -3.0 && x < 3.0 {
            dy * (1.0 / 6.0)
        } else {
            0.0
        }
    }
}

impl Function for Sigmoid {
    const OF_OUTPUT: bool = true;
    const CHEAP: bool = false;

    #[inline(always)]
    fn value<L: Lanes>(x: f32) -> f32 {
        sigmoid::<L>(x)
    }

    #[inline(always)]
    fn gradient<L: Lanes>(x: f32, dy: f32) -> f32 {
        Self::gradient_of_output(sigmoid::<L>(x), dy)
    }

    #[inline(always)]
    fn gradient_of_output(y: f32, dy: f32) -> f32 {
        dy * (1.0 - y) * y
    }
}

impl Function for Gelu {
    const OF_OUTPUT: bool = false;
    const CHEAP: bool = false;

    #[inline(always)]
    fn value<L: Lanes>(x: f32) -> f32 {
        let [below, _] = normal::<L>(x);
        x * below
    }

    #[inline(always)]
    fn gradient<L: Lanes>(x: f32, dy: f32) -> f32 {
        let [below, density] = normal::<L>(x);
        dy * L::mul_add(x, density, below)
    }
}

/// Evaluates `$body` with the type of a function, from `Option<Activation>`; none is [`Identity`].
macro_rules! with_function {
    ($activation:expr, |$F:ident| $body:expr) => {{
        use $crate::activation::{Activation, function};
        match $activation {
            None => {
                type $F = function::Identity;
                $body
            }
            Some(Activation::Relu) => {
                type $F = function::Relu;
                $body
            }
            Some(Activation::Relu6) => {
                type $F = function::Relu6;
                $body
            }
            Some(Activation::Silu) => {
                type $F = function::Silu;
                $body
            }
            Some(Activation::HardSwish) => {
                type $F = function::HardSwish;
                $body
            }
            Some(Activation::HardSigmoid) => {
                type $F = function::HardSigmoid;
                $body
            }
            Some(Activation::Sigmoid) => {
                type $F = function::Sigmoid;
                $body
            }
            Some(Activation::Gelu) => {
                type $F = function::Gelu;
                $body
            }
        }
    }};
}
pub(crate) use with_function;
