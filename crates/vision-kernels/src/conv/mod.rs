//! Convolution: forward, and the gradients with respect to input and weights.
//!
//! Activations are channels-last, `[batch, height, width, channels]`. Weights are in PyTorch's
//! order, `[out_channels, in_channels, kernel, kernel]`. Each function has two forms: one takes
//! plain weights, and one takes [`PackedWeights`], for weights that are used more than once.
//!
//! Results are the same to the last bit for any number of threads, but not for different instruction sets,
//! algorithms or batch sizes.
//!
//! ```
//! use vision_kernels::Isa;
//! use vision_kernels::activation::Activation;
//! use vision_kernels::conv::{Accuracy, ConvShape, Epilogue, conv2d};
//!
//! let shape = ConvShape {
//!     batch: 1,
//!     height: 2,
//!     width: 2,
//!     in_channels: 1,
//!     out_channels: 1,
//!     kernel: 3,
//!     stride: 1,
//!     padding: 1.into(),
//! };
//! let x = [1.0, 2.0, 3.0, -4.0];
//! let w = [0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0];
//! let mut y = [0.0; 4];
//! let relu = Epilogue {
//!     activation: Some(Activation::Relu),
//!     ..Epilogue::default()
//! };
//! conv2d(Isa::detect(), Accuracy::default(), &shape, &x, &w, &relu, &mut y)?;
//! assert_eq!(y, [1.0, 2.0, 3.0, 0.0]);
//! # Ok::<(), vision_kernels::ShapeError>(())
//! ```
//!
//! | Module | |
//! |---|---|
//! | `shape`, `epilogue`, `algorithm`, `packed` | What callers see |
//! | `classes` | Which taps an output pixel sees |
//! | `direct`, `sums`, `backward_weight` | Direct convolution |
//! | `winograd` | F(2x2) and F(4x4) for 3x3 kernels |
//! | `pack` | The order in which weights are read |

mod algorithm;
mod backward_weight;
mod classes;
mod direct;
mod epilogue;
mod pack;
mod packed;
mod shape;
mod sums;
mod winograd;

pub use algorithm::{Accuracy, Algorithm, Pass, algorithm};
pub(crate) use backward_weight::add_parts;
pub(crate) use classes::{Pixel, Plan, Run, backward_order};
pub(crate) use direct::split_channels;
pub use epilogue::Epilogue;
pub(crate) use pack::Direction;
pub use packed::PackedWeights;
pub use shape::ConvShape;
use winograd::{F2, F4};

use crate::error::{ShapeError, check_len};
use crate::isa::Isa;
use crate::microkernel::for_columns;

/// `y = x * w`, then the epilogue. Every value of `y` is written.
///
/// # Errors
///
/// If the shape has no output, or a slice does not have the length of the shape.
pub fn conv2d(
    isa: Isa,
    accuracy: Accuracy,
    shape: &ConvShape,
    x: &[f32],
    w: &[f32],
    epilogue: &Epilogue<'_>,
    y: &mut [f32],
) -> Result<(), ShapeError> {
    shape.check()?;
    check_len("x", shape.input_len(), x.len())?;
    check_len("y", shape.output_len(), y.len())?;
    let algorithm = algorithm(shape, Pass::Forward, accuracy);
    let packed = PackedWeights::once(isa, algorithm, shape, w, Direction::Forward)?;
    conv2d_packed(&packed, shape, x, epilogue, y)
}

/// Like [`conv2d`], with weights packed by [`PackedWeights::forward`], for any batch and image
/// size.
///
/// # Errors
///
/// As for [`conv2d`], and if the weights were packed for another shape or pass.
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
    epilogue.check(shape.out_channels, y.len())?;
    packed.convolve(shape, x, epilogue, y);
    Ok(())
}

/// The gradient with respect to the input, from the gradient of the output. Every value of `dx` is
/// written.
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
    shape.check()?;
    check_len("dy", shape.output_len(), dy.len())?;
    check_len("dx", shape.input_len(), dx.len())?;
    let algorithm = algorithm(shape, Pass::BackwardInput, accuracy);
    let packed = PackedWeights::once(isa, algorithm, shape, w, Direction::Backward)?;
    conv2d_backward_input_packed(&packed, shape, dy, dx)
}

/// Like [`conv2d_backward_input`], with weights packed by [`PackedWeights::backward_input`].
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

/// Like [`conv2d_backward_weight`], with a given algorithm, or direct convolution if that algorithm
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
    let isa = for_columns(isa, shape.out_channels);
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
