//! Convolution: forward, and the gradients with respect to input and weights.

mod algorithm;
mod backward_weight;
mod classes;
mod direct;
mod epilogue;
mod pack;
mod packed;
mod shape;
mod winograd;

pub use algorithm::{Accuracy, Algorithm, Pass, algorithm};
pub use epilogue::Epilogue;
pub use packed::PackedWeights;
pub use shape::ConvShape;

use winograd::{Direction, F2, F4};

use crate::error::{ShapeError, check_len};
use crate::isa::Isa;

/// `y = x * w`, then the epilogue. Every value of `y` is written.
///
/// # Errors
///
/// Where the shape has no output or a slice has another length than it says.
pub fn conv2d(
    isa: Isa,
    accuracy: Accuracy,
    shape: &ConvShape,
    x: &[f32],
    w: &[f32],
    epilogue: &Epilogue<'_>,
    y: &mut [f32],
) -> Result<(), ShapeError> {
    let packed = PackedWeights::forward(isa, accuracy, shape, w)?;
    conv2d_packed(&packed, shape, x, epilogue, y)
}

/// [`conv2d`] with weights packed by [`PackedWeights::forward`], for any batch and picture.
///
/// # Errors
///
/// As for [`conv2d`], and where the weights were packed for another shape or pass.
pub fn conv2d_packed(
    packed: &PackedWeights,
    shape: &ConvShape,
    x: &[f32],
    epilogue: &Epilogue<'_>,
    y: &mut [f32],
) -> Result<(), ShapeError> {
    packed.check(shape, Direction::Forward)?;
    check_len("x", shape.input_len(), x.len())?;
    check_len("y", shape.output_len(), y.len())?;
    epilogue.check(shape)?;
    packed.convolve(shape, x, epilogue, y);
    Ok(())
}

/// The gradient with respect to the input, from that of the output. Every value of `dx` is written.
///
/// # Errors
///
/// As for [`conv2d`].
pub fn conv2d_backward_input(
    isa: Isa,
    accuracy: Accuracy,
    shape: &ConvShape,
    dy: &[f32],
    w: &[f32],
    dx: &mut [f32],
) -> Result<(), ShapeError> {
    let packed = PackedWeights::backward_input(isa, accuracy, shape, w)?;
    conv2d_backward_input_packed(&packed, shape, dy, dx)
}

/// [`conv2d_backward_input`] with weights packed by [`PackedWeights::backward_input`].
///
/// # Errors
///
/// As for [`conv2d_packed`].
pub fn conv2d_backward_input_packed(
    packed: &PackedWeights,
    shape: &ConvShape,
    dy: &[f32],
    dx: &mut [f32],
) -> Result<(), ShapeError> {
    packed.check(shape, Direction::Backward)?;
    check_len("dy", shape.output_len(), dy.len())?;
    check_len("dx", shape.input_len(), dx.len())?;
    packed.convolve(shape, dy, &Epilogue::default(), dx);
    Ok(())
}

/// The gradient with respect to the weights, `[out_channels, in_channels, kernel, kernel]`, from the input
/// and the gradient of the output. Every value of `dw` is written.
///
/// # Errors
///
/// As for [`conv2d`].
pub fn conv2d_backward_weight(
    isa: Isa,
    accuracy: Accuracy,
    shape: &ConvShape,
    x: &[f32],
    dy: &[f32],
    dw: &mut [f32],
) -> Result<(), ShapeError> {
    let algorithm = algorithm(shape, Pass::BackwardWeight, accuracy);
    conv2d_backward_weight_by(isa, algorithm, shape, x, dy, dw)
}

/// [`conv2d_backward_weight`] with an algorithm of the caller's choice, or direct convolution where that one
/// cannot compute the shape.
///
/// # Errors
///
/// As for [`conv2d`].
pub fn conv2d_backward_weight_by(
    isa: Isa,
    algorithm: Algorithm,
    shape: &ConvShape,
    x: &[f32],
    dy: &[f32],
    dw: &mut [f32],
) -> Result<(), ShapeError> {
    shape.check()?;
    check_len("x", shape.input_len(), x.len())?;
    check_len("dy", shape.output_len(), dy.len())?;
    check_len("dw", shape.weight_len(), dw.len())?;
    match algorithm.or_direct(shape) {
        Algorithm::Direct => backward_weight::backward_weight(isa, shape, x, dy, dw),
        Algorithm::Winograd2 => {
            winograd::backward_weight::backward_weight::<F2, 2, 4>(isa, shape, x, dy, dw);
        }
        Algorithm::Winograd4 => {
            winograd::backward_weight::backward_weight::<F4, 4, 6>(isa, shape, x, dy, dw);
        }
    }
    Ok(())
}
