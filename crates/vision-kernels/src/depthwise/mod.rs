//! Depthwise convolution (each channel by itself, as in MobileNet): forward, and the gradients with
//! respect to input and weights.
//!
//! Activations are channels-last, `[batch, height, width, channels]`. Weights are in PyTorch's
//! order, `[channels, 1, kernel, kernel]`. There are as few multiplications as values to read, so
//! vectors over the channels of one pixel are fast enough. Padding is never multiplied, so a NaN or
//! an infinity affects exactly the same outputs as in PyTorch.
//!
//! ```
//! use vision_kernels::Isa;
//! use vision_kernels::conv::Epilogue;
//! use vision_kernels::depthwise::{DepthwiseShape, depthwise};
//!
//! let shape = DepthwiseShape {
//!     batch: 1,
//!     height: 1,
//!     width: 3,
//!     channels: 2,
//!     kernel: 3,
//!     stride: 1,
//!     padding: 1.into(),
//!     dilation: 1,
//! };
//! let x = [1.0, 10.0, 2.0, 20.0, 3.0, 30.0];
//! // The sum of the row for the first channel, its middle for the second.
//! let w = [0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0,
//!          0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0];
//! let mut y = [0.0; 6];
//! depthwise(Isa::detect(), &shape, &x, &w, &Epilogue::default(), &mut y)?;
//! assert_eq!(y, [3.0, 10.0, 6.0, 20.0, 5.0, 30.0]);
//! # Ok::<(), vision_kernels::ShapeError>(())
//! ```

mod gather;
mod links;
mod plan;
mod shape;
mod weight;

use links::Links;
pub use shape::DepthwiseShape;

use crate::Isa;
use crate::conv::Epilogue;
use crate::error::{ShapeError, check_len};

/// `y = x * w`, then the epilogue. Every value of `y` is written.
///
/// # Errors
///
/// If the shape has no output, or a slice does not have the length of the shape.
pub fn depthwise(
    isa: Isa,
    shape: &DepthwiseShape,
    x: &[f32],
    w: &[f32],
    epilogue: &Epilogue<'_>,
    y: &mut [f32],
) -> Result<(), ShapeError> {
    shape.check()?;
    check_len("x", shape.input_len(), x.len())?;
    check_len("w", shape.weight_len(), w.len())?;
    check_len("y", shape.output_len(), y.len())?;
    epilogue.check(shape.channels, y.len())?;
    gather::gather(isa, shape, &Links::forward(shape), x, w, epilogue, y);
    Ok(())
}

/// The gradient with respect to the input, from the gradient of the output. Every value of `dx` is
/// written.
///
/// # Errors
///
/// As for [`depthwise`].
pub fn depthwise_backward_input(
    isa: Isa,
    shape: &DepthwiseShape,
    dy: &[f32],
    w: &[f32],
    dx: &mut [f32],
) -> Result<(), ShapeError> {
    shape.check()?;
    check_len("dy", shape.output_len(), dy.len())?;
    check_len("w", shape.weight_len(), w.len())?;
    check_len("dx", shape.input_len(), dx.len())?;
    let (links, none) = (Links::backward(shape), Epilogue::default());
    gather::gather(isa, shape, &links, dy, w, &none, dx);
    Ok(())
}

/// The gradient with respect to the weights, `[channels, 1, kernel, kernel]`, from the input and the gradient
/// of the output. Every value of `dw` is written.
///
/// # Errors
///
/// As for [`depthwise`].
pub fn depthwise_backward_weight(
    isa: Isa,
    shape: &DepthwiseShape,
    x: &[f32],
    dy: &[f32],
    dw: &mut [f32],
) -> Result<(), ShapeError> {
    shape.check()?;
    check_len("x", shape.input_len(), x.len())?;
    check_len("dy", shape.output_len(), dy.len())?;
    check_len("dw", shape.weight_len(), dw.len())?;
    weight::backward_weight(isa, shape, x, dy, dw);
    Ok(())
}
