//! Activation functions.
//!
//! ```
//! use vision_kernels::Isa;
//! use vision_kernels::activation::{Activation, activate};
//!
//! let mut y = [0.0; 3];
//! activate(Isa::detect(), Activation::HardSwish, &[-4.0, 0.0, 3.0], &mut y)?;
//! assert_eq!(y, [0.0, 0.0, 3.0]);
//! # Ok::<(), vision_kernels::ShapeError>(())
//! ```

pub(crate) mod function;
pub(crate) mod math;

use std::marker::PhantomData;

use function::{Function, with_function};

use crate::blocks::{self, BLOCK};
use crate::error::check_len;
use crate::isa::{Kernel, Lanes, dispatch};
use crate::{Isa, ShapeError};

/// A function of each value, between layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Activation {
    /// `max(x, 0)`.
    Relu,
    /// `min(max(x, 0), 6)`.
    Relu6,
    /// `x * sigmoid(x)`, also called Swish.
    Silu,
    /// `x * hard_sigmoid(x)`.
    HardSwish,
    /// `min(max(x / 6 + 1/2, 0), 1)`.
    HardSigmoid,
    /// `1 / (1 + exp(-x))`.
    Sigmoid,
    /// `x * Φ(x)`, with the distribution function Φ of the normal distribution.
    Gelu,
}

impl Activation {
    /// Whether [`activate_backward`] takes the output of the function, and otherwise its input.
    pub fn saves_output(self) -> bool {
        with_function!(Some(self), |F| F::OF_OUTPUT)
    }

    /// Whether to compute what a gradient needs again takes less time than to read it from memory.
    pub(crate) fn is_cheap(self) -> bool {
        with_function!(Some(self), |F| F::CHEAP)
    }
}

/// Applies a function to each value. Both slices have the same length.
///
/// Sigmoid and SiLU are within 3 ulp of the exact value, GELU within 6 ulp; results below 1.2e-38 can be 0. NaN and infinities
/// give what they give in PyTorch.
///
/// # Errors
///
/// If the lengths differ.
pub fn activate(
    isa: Isa,
    function: Activation,
    x: &[f32],
    y: &mut [f32],
) -> Result<(), ShapeError> {
    check_len("y", x.len(), y.len())?;
    with_function!(Some(function), |F| {
        let tasks = x.chunks(BLOCK).zip(y.chunks_mut(BLOCK));
        let tasks = tasks.map(|(x, y)| Values::<F> {
            x,
            y,
            function: PhantomData,
        });
        blocks::run(tasks.collect(), x.len(), |task| dispatch(isa, task));
    });
    Ok(())
}

/// The gradient of [`activate`], from the gradient `dy` of its output and from its output, if [`Activation::saves_output`],
/// or otherwise its input. All slices have the same length.
///
/// # Errors
///
/// If the lengths differ.
pub fn activate_backward(
    isa: Isa,
    function: Activation,
    saved: &[f32],
    dy: &[f32],
    dx: &mut [f32],
) -> Result<(), ShapeError> {
    check_len("dy", saved.len(), dy.len())?;
    check_len("dx", saved.len(), dx.len())?;
    with_function!(Some(function), |F| {
        let tasks = (saved.chunks(BLOCK).zip(dy.chunks(BLOCK))).zip(dx.chunks_mut(BLOCK));
        let tasks = tasks.map(|((saved, dy), dx)| Gradients::<F> {
            saved,
            dy,
            dx,
            function: PhantomData,
        });
        blocks::run(tasks.collect(), dy.len(), |task| dispatch(isa, task));
    });
    Ok(())
}

struct Values<'a, F> {
    x: &'a [f32],
    y: &'a mut [f32],
    function: PhantomData<F>,
}

impl<F: Function> Kernel for Values<'_, F> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self) {
        for (y, &x) in self.y.iter_mut().zip(self.x) {
            *y = F::value::<L>(x);
        }
    }
}

struct Gradients<'a, F> {
    saved: &'a [f32],
    dy: &'a [f32],
    dx: &'a mut [f32],
    function: PhantomData<F>,
}

impl<F: Function> Kernel for Gradients<'_, F> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self) {
        for ((dx, &saved), &dy) in self.dx.iter_mut().zip(self.saved).zip(self.dy) {
            *dx = if F::OF_OUTPUT {
                F::gradient_of_output(saved, dy)
            } else {
                F::gradient::<L>(saved, dy)
            };
        }
    }
}

/// `y = max(x, 0)`; NaN stays NaN, as in PyTorch. All slices have the same length.
///
/// # Errors
///
/// If the lengths differ.
pub fn relu(isa: Isa, x: &[f32], y: &mut [f32]) -> Result<(), ShapeError> {
    activate(isa, Activation::Relu, x, y)
}

/// `y = max(a + b, 0)`. All slices have the same length.
///
/// # Errors
///
/// If the lengths differ.
pub fn add_relu(isa: Isa, a: &[f32], b: &[f32], y: &mut [f32]) -> Result<(), ShapeError> {
    check_len("b", a.len(), b.len())?;
    check_len("y", a.len(), y.len())?;
    let tasks = (a.chunks(BLOCK).zip(b.chunks(BLOCK))).zip(y.chunks_mut(BLOCK));
    let tasks = tasks.map(|((a, b), y)| AddRelu { a, b, y });
    blocks::run(tasks.collect(), a.len(), |task| dispatch(isa, task));
    Ok(())
}

/// The gradient of [`relu`] and [`add_relu`], from the output `y` and its gradient `dy`. As in
/// PyTorch, no gradient passes where the output is 0, and all of it where the output is NaN.
///
/// # Errors
///
/// If the lengths differ.
pub fn relu_backward(isa: Isa, y: &[f32], dy: &[f32], dx: &mut [f32]) -> Result<(), ShapeError> {
    activate_backward(isa, Activation::Relu, y, dy, dx)
}

/// `y = min(max(x, 0), 6)`; NaN stays NaN, as in PyTorch. All slices have the same length.
///
/// # Errors
///
/// If the lengths differ.
pub fn relu6(isa: Isa, x: &[f32], y: &mut [f32]) -> Result<(), ShapeError> {
    activate(isa, Activation::Relu6, x, y)
}

/// The gradient of [`relu6`], from its output `y` and its gradient `dy`. As in PyTorch, no gradient
/// passes where the output is 0 or 6, and all of it where the output is NaN.
///
/// # Errors
///
/// If the lengths differ.
pub fn relu6_backward(isa: Isa, y: &[f32], dy: &[f32], dx: &mut [f32]) -> Result<(), ShapeError> {
    activate_backward(isa, Activation::Relu6, y, dy, dx)
}

struct AddRelu<'a> {
    a: &'a [f32],
    b: &'a [f32],
    y: &'a mut [f32],
}

impl Kernel for AddRelu<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self) {
        for ((y, &a), &b) in self.y.iter_mut().zip(self.a).zip(self.b) {
            *y = function::Relu::value::<L>(a + b);
        }
    }
}
