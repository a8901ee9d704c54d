//! Convolution in groups of channels, as in ResNeXt and RegNet: forward, and the gradients with respect to input and
//! weights.
//!
//! Activations are channels-last, `[batch, height, width, channels]`. Weights are in PyTorch's order,
//! `[out_channels, in_channels / groups, kernel, kernel]`. Each group is a dense convolution of few channels. The channels of
//! a group are copied side by side, some rows at a time: in place the rows of a small product would be so short that finding
//! them takes as long as multiplying them.
//!
//! ```
//! use vision_kernels::Isa;
//! use vision_kernels::conv::{ConvShape, Epilogue};
//! use vision_kernels::grouped::{GroupedShape, grouped};
//!
//! let shape = GroupedShape {
//!     conv: ConvShape {
//!         batch: 1,
//!         height: 1,
//!         width: 1,
//!         in_channels: 4,
//!         out_channels: 2,
//!         kernel: 1,
//!         stride: 1,
//!         padding: 0.into(),
//!     },
//!     groups: 2,
//! };
//! let (x, w, mut y) = ([1.0, 2.0, 3.0, 4.0], [1.0, 1.0, 1.0, -1.0], [0.0; 2]);
//! grouped(Isa::detect(), &shape, &x, &w, &Epilogue::default(), &mut y)?;
//! assert_eq!(y, [3.0, -1.0]);
//! # Ok::<(), vision_kernels::ShapeError>(())
//! ```

mod convolve;
mod pack;
mod regions;
mod weight;

use crate::conv::{ConvShape, Direction, Epilogue};
use crate::error::{ShapeError, check_len};
use crate::isa::Isa;

/// A convolution in groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct GroupedShape {
    /// Sizes, with the channels of all groups.
    pub conv: ConvShape,
    /// Number of groups; both numbers of channels are multiples of it.
    pub groups: usize,
}

impl GroupedShape {
    /// Number of weights, `[out_channels, in_channels / groups, kernel, kernel]`.
    pub fn weight_len(&self) -> usize {
        self.conv.weight_len() / self.groups.max(1)
    }

    /// One group by itself.
    fn group(&self) -> ConvShape {
        ConvShape {
            in_channels: self.conv.in_channels / self.groups,
            out_channels: self.conv.out_channels / self.groups,
            ..self.conv
        }
    }

    fn check(&self) -> Result<(), ShapeError> {
        self.conv.check()?;
        if self.groups == 0 {
            return Err(ShapeError::Zero { field: "groups" });
        }
        let channels = [
            ("in_channels", self.conv.in_channels),
            ("out_channels", self.conv.out_channels),
        ];
        for (field, channels) in channels {
            if channels % self.groups != 0 {
                return Err(ShapeError::Groups {
                    field,
                    channels,
                    groups: self.groups,
                });
            }
        }
        Ok(())
    }
}

/// `y = x * w`, then the epilogue. Every value of `y` is written.
///
/// # Errors
///
/// If the shape has no output, a slice does not have the length of the shape, or the groups do not divide the channels.
pub fn grouped(
    isa: Isa,
    shape: &GroupedShape,
    x: &[f32],
    w: &[f32],
    epilogue: &Epilogue<'_>,
    y: &mut [f32],
) -> Result<(), ShapeError> {
    shape.check()?;
    check_len("x", shape.conv.input_len(), x.len())?;
    check_len("w", shape.weight_len(), w.len())?;
    check_len("y", shape.conv.output_len(), y.len())?;
    epilogue.check(shape.conv.out_channels, y.len())?;
    convolve::convolve(isa, shape, Direction::Forward, x, w, epilogue, y);
    Ok(())
}

/// The gradient with respect to the input, from the gradient of the output. Every value of `dx` is
/// written.
///
/// # Errors
///
/// As for [`grouped`].
pub fn grouped_backward_input(
    isa: Isa,
    shape: &GroupedShape,
    dy: &[f32],
    w: &[f32],
    dx: &mut [f32],
) -> Result<(), ShapeError> {
    shape.check()?;
    check_len("dy", shape.conv.output_len(), dy.len())?;
    check_len("w", shape.weight_len(), w.len())?;
    check_len("dx", shape.conv.input_len(), dx.len())?;
    let none = Epilogue::default();
    convolve::convolve(isa, shape, Direction::Backward, dy, w, &none, dx);
    Ok(())
}

/// The gradient with respect to the weights, `[out_channels, in_channels / groups, kernel, kernel]`, from the input and the
/// gradient of the output. Every value of `dw` is written.
///
/// # Errors
///
/// As for [`grouped`].
pub fn grouped_backward_weight(
    isa: Isa,
    shape: &GroupedShape,
    x: &[f32],
    dy: &[f32],
    dw: &mut [f32],
) -> Result<(), ShapeError> {
    shape.check()?;
    check_len("x", shape.conv.input_len(), x.len())?;
    check_len("dy", shape.conv.output_len(), dy.len())?;
    check_len("dw", shape.weight_len(), dw.len())?;
    weight::backward_weight(isa, shape, x, dy, dw);
    Ok(())
}
