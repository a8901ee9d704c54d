//! ReLU for networks without batch normalization, ReLU after the sum of two branches, and ReLU6.
//!
//! ```
//! use vision_kernels::{Isa, activation::relu};
//!
//! let mut y = [0.0; 2];
//! relu(Isa::detect(), &[-1.0, 2.0], &mut y)?;
//! assert_eq!(y, [0.0, 2.0]);
//! # Ok::<(), vision_kernels::ShapeError>(())
//! ```

use crate::blocks::{self, BLOCK};
use crate::error::check_len;
use crate::isa::{Kernel, Lanes, dispatch};
use crate::{Isa, ShapeError};

/// `y = max(x, 0)`; NaN stays NaN, as in PyTorch. All slices have the same length.
///
/// # Errors
///
/// If the lengths differ.
pub fn relu(isa: Isa, x: &[f32], y: &mut [f32]) -> Result<(), ShapeError> {
    map(isa, [x, x], ["x", "x"], y, "y", |x, _| positive(x))
}

/// `y = max(a + b, 0)`. All slices have the same length.
///
/// # Errors
///
/// If the lengths differ.
pub fn add_relu(isa: Isa, a: &[f32], b: &[f32], y: &mut [f32]) -> Result<(), ShapeError> {
    map(isa, [a, b], ["a", "b"], y, "y", |a, b| positive(a + b))
}

/// The gradient of [`relu`] and [`add_relu`], from the output `y` and its gradient `dy`. As in
/// PyTorch, no gradient passes where the output is 0, and all of it where the output is NaN.
///
/// # Errors
///
/// If the lengths differ.
pub fn relu_backward(isa: Isa, y: &[f32], dy: &[f32], dx: &mut [f32]) -> Result<(), ShapeError> {
    map(isa, [y, dy], ["y", "dy"], dx, "dx", |y, dy| {
        if y <= 0.0 { 0.0 } else { dy }
    })
}

/// `y = min(max(x, 0), 6)`; NaN stays NaN, as in PyTorch. All slices have the same length.
///
/// # Errors
///
/// If the lengths differ.
pub fn relu6(isa: Isa, x: &[f32], y: &mut [f32]) -> Result<(), ShapeError> {
    map(isa, [x, x], ["x", "x"], y, "y", |x, _| {
        let x = positive(x);
        if x > 6.0 { 6.0 } else { x }
    })
}

/// The gradient of [`relu6`], from its output `y` and its gradient `dy`. As in PyTorch, no gradient
/// passes where the output is 0 or 6, and all of it where the output is NaN.
///
/// # Errors
///
/// If the lengths differ.
pub fn relu6_backward(isa: Isa, y: &[f32], dy: &[f32], dx: &mut [f32]) -> Result<(), ShapeError> {
    map(isa, [y, dy], ["y", "dy"], dx, "dx", |y, dy| {
        if y <= 0.0 || y >= 6.0 { 0.0 } else { dy }
    })
}

#[inline(always)]
fn positive(x: f32) -> f32 {
    // Not `max`, which would turn NaN into 0.
    if x < 0.0 { 0.0 } else { x }
}

/// `out = f(a, b)` for each value.
fn map<F: Fn(f32, f32) -> f32 + Copy + Send + Sync>(
    isa: Isa,
    [a, b]: [&[f32]; 2],
    names: [&'static str; 2],
    out: &mut [f32],
    out_name: &'static str,
    f: F,
) -> Result<(), ShapeError> {
    check_len(names[1], a.len(), b.len())?;
    check_len(out_name, a.len(), out.len())?;
    let tasks = (a.chunks(BLOCK).zip(b.chunks(BLOCK)))
        .zip(out.chunks_mut(BLOCK))
        .map(|((a, b), out)| Map { a, b, out, f })
        .collect();
    blocks::run(tasks, a.len(), |task| dispatch(isa, task));
    Ok(())
}

struct Map<'a, F> {
    a: &'a [f32],
    b: &'a [f32],
    out: &'a mut [f32],
    f: F,
}

impl<F: Fn(f32, f32) -> f32> Kernel for Map<'_, F> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self) {
        for ((out, &a), &b) in self.out.iter_mut().zip(self.a).zip(self.b) {
            *out = (self.f)(a, b);
        }
    }
}
