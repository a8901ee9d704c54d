//! Convolution: forward, and the gradients with respect to input and weights.

mod backward_weight;
mod classes;
mod direct;
mod epilogue;
mod pack;
mod shape;

pub use epilogue::Epilogue;
pub use shape::ConvShape;

use classes::Plan;

use crate::error::{ShapeError, check_len};
use crate::isa::Isa;
use crate::microkernel::panel_width;
use crate::scratch::Scratch;

/// How much of the accuracy may be given for speed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Accuracy {
    /// Only direct convolution.
    Direct,
    /// F(2x2).
    #[default]
    Balanced,
    /// F(4x4).
    Fast,
}

/// Weights in the order in which a convolution reads them.
#[derive(Debug)]
pub struct PackedWeights {
    isa: Isa,
    shape: ConvShape,
    pass: Pass,
    values: Scratch,
}

/// One of the three computations of a convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Pass {
    /// The output.
    Forward,
    /// The gradient with respect to the input.
    BackwardInput,
    /// The gradient with respect to the weights.
    BackwardWeight,
}

impl PackedWeights {
    /// For [`conv2d_packed`].
    pub fn forward(
        isa: Isa,
        accuracy: Accuracy,
        shape: &ConvShape,
        w: &[f32],
    ) -> Result<Self, ShapeError> {
        Self::new(isa, accuracy, shape, w, Pass::Forward)
    }

    /// For [`conv2d_backward_input_packed`].
    pub fn backward_input(
        isa: Isa,
        accuracy: Accuracy,
        shape: &ConvShape,
        w: &[f32],
    ) -> Result<Self, ShapeError> {
        Self::new(isa, accuracy, shape, w, Pass::BackwardInput)
    }

    fn new(
        isa: Isa,
        _accuracy: Accuracy,
        shape: &ConvShape,
        w: &[f32],
        pass: Pass,
    ) -> Result<Self, ShapeError> {
        shape.check()?;
        check_len("w", shape.weight_len(), w.len())?;
        let panel = panel_width(isa);
        let values = match pass {
            Pass::BackwardInput => pack::backward(shape, panel, w),
            _ => pack::forward(shape, panel, w),
        };
        Ok(Self {
            isa,
            shape: *shape,
            pass,
            values,
        })
    }

    /// Refuses a shape other than the one that was packed for, but for its batch and picture.
    fn check(&self, shape: &ConvShape, pass: Pass) -> Result<(), ShapeError> {
        shape.check()?;
        let found = [
            ("pass", self.pass as usize, pass as usize),
            ("in_channels", self.shape.in_channels, shape.in_channels),
            ("out_channels", self.shape.out_channels, shape.out_channels),
            ("kernel", self.shape.kernel, shape.kernel),
            ("stride", self.shape.stride, shape.stride),
            ("padding", self.shape.padding, shape.padding),
        ];
        match found
            .into_iter()
            .find(|(_, expected, found)| expected != found)
        {
            None => Ok(()),
            Some((field, expected, found)) => Err(ShapeError::Packed {
                field,
                expected,
                found,
            }),
        }
    }

    fn convolve(
        &self,
        shape: &ConvShape,
        input: &[f32],
        epilogue: &Epilogue<'_>,
        output: (&mut [f32], usize),
    ) {
        let plan = match self.pass {
            Pass::BackwardInput => Plan::backward(shape),
            _ => Plan::forward(shape),
        };
        direct::convolve(self.isa, &plan, input, &self.values, epilogue, output);
    }
}

/// `y = x * w`, then the epilogue. Every value of `y` is written.
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

/// [`conv2d`] with weights packed by [`PackedWeights::forward`].
pub fn conv2d_packed(
    packed: &PackedWeights,
    shape: &ConvShape,
    x: &[f32],
    epilogue: &Epilogue<'_>,
    y: &mut [f32],
) -> Result<(), ShapeError> {
    packed.check(shape, Pass::Forward)?;
    check_len("x", shape.input_len(), x.len())?;
    check_len("y", shape.output_len(), y.len())?;
    epilogue.check(shape)?;
    packed.convolve(shape, x, epilogue, (y, shape.out_channels));
    Ok(())
}

/// The gradient with respect to the input. Every value of `dx` is written.
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
pub fn conv2d_backward_input_packed(
    packed: &PackedWeights,
    shape: &ConvShape,
    dy: &[f32],
    dx: &mut [f32],
) -> Result<(), ShapeError> {
    packed.check(shape, Pass::BackwardInput)?;
    check_len("dy", shape.output_len(), dy.len())?;
    check_len("dx", shape.input_len(), dx.len())?;
    packed.convolve(shape, dy, &Epilogue::default(), (dx, shape.in_channels));
    Ok(())
}

/// The gradient with respect to the weights. Every value of `dw` is written.
pub fn conv2d_backward_weight(
    isa: Isa,
    _accuracy: Accuracy,
    shape: &ConvShape,
    x: &[f32],
    dy: &[f32],
    dw: &mut [f32],
) -> Result<(), ShapeError> {
    shape.check()?;
    check_len("x", shape.input_len(), x.len())?;
    check_len("dy", shape.output_len(), dy.len())?;
    check_len("dw", shape.weight_len(), dw.len())?;
    backward_weight::backward_weight(isa, shape, x, dy, dw);
    Ok(())
}
