//! Packed weights, for repeated use.

use super::classes::Plan;
use super::pack::{Direction, Packer};
use super::winograd::{self, F2, F4};
use super::{Accuracy, Algorithm, ConvShape, Epilogue, Pass, algorithm, direct};
use crate::error::{ShapeError, check_len};
use crate::isa::Isa;
use crate::microkernel::{for_columns, panel_width};
use crate::scratch::Scratch;

/// Weights in the order in which a convolution reads them, and transformed for its algorithm.
///
/// They are valid for one direction and one shape, with any batch and image size. Transformed for
/// F(2x2) they take 16/9 of the memory of the weights; for F(4x4), 4 times as much.
#[derive(Debug)]
pub struct PackedWeights {
    isa: Isa,
    algorithm: Algorithm,
    shape: ConvShape,
    direction: Direction,
    values: Scratch,
}

/// The use that weights are packed for.
#[derive(Clone, Copy)]
enum Use {
    /// Any batch and image size.
    Any,
    /// This shape only.
    Once,
}

fn plan(shape: &ConvShape, direction: Direction) -> Plan {
    match direction {
        Direction::Forward => Plan::forward(shape),
        Direction::Backward => Plan::backward(shape),
    }
}

impl PackedWeights {
    /// Packs for [`conv2d_packed`](super::conv2d_packed), with the algorithm that [`algorithm`]
    /// chooses.
    ///
    /// # Errors
    ///
    /// If the shape has no output, or `w` is not `[out_channels, in_channels, kernel, kernel]`.
    pub fn forward(
        isa: Isa,
        accuracy: Accuracy,
        shape: &ConvShape,
        w: &[f32],
    ) -> Result<Self, ShapeError> {
        let algorithm = algorithm(shape, Pass::Forward, accuracy);
        Self::forward_by(isa, algorithm, shape, w)
    }

    /// Packs for [`conv2d_backward_input_packed`](super::conv2d_backward_input_packed), with the
    /// algorithm that [`algorithm`] chooses.
    ///
    /// # Errors
    ///
    /// As for [`PackedWeights::forward`].
    pub fn backward_input(
        isa: Isa,
        accuracy: Accuracy,
        shape: &ConvShape,
        w: &[f32],
    ) -> Result<Self, ShapeError> {
        let algorithm = algorithm(shape, Pass::BackwardInput, accuracy);
        Self::backward_input_by(isa, algorithm, shape, w)
    }

    /// Like [`PackedWeights::forward`], with a given algorithm, or direct convolution if that
    /// algorithm cannot compute the shape.
    ///
    /// # Errors
    ///
    /// As for [`PackedWeights::forward`].
    pub fn forward_by(
        isa: Isa,
        algorithm: Algorithm,
        shape: &ConvShape,
        w: &[f32],
    ) -> Result<Self, ShapeError> {
        Self::new(isa, algorithm, shape, w, (Direction::Forward, Use::Any))
    }

    /// Like [`PackedWeights::backward_input`], with a given algorithm, or direct convolution if
    /// that algorithm cannot compute the shape.
    ///
    /// # Errors
    ///
    /// As for [`PackedWeights::forward`].
    pub fn backward_input_by(
        isa: Isa,
        algorithm: Algorithm,
        shape: &ConvShape,
        w: &[f32],
    ) -> Result<Self, ShapeError> {
        Self::new(isa, algorithm, shape, w, (Direction::Backward, Use::Any))
    }

    /// For this shape only, without the taps that see nothing but padding: on a map of one pixel,
    /// packing them would take ten times as long as the convolution.
    pub(crate) fn once(
        isa: Isa,
        algorithm: Algorithm,
        shape: &ConvShape,
        w: &[f32],
        direction: Direction,
    ) -> Result<Self, ShapeError> {
        Self::new(isa, algorithm, shape, w, (direction, Use::Once))
    }

    fn new(
        isa: Isa,
        algorithm: Algorithm,
        shape: &ConvShape,
        w: &[f32],
        (direction, uses): (Direction, Use),
    ) -> Result<Self, ShapeError> {
        shape.check()?;
        check_len("w", shape.weight_len(), w.len())?;
        let algorithm = algorithm.or_direct(shape);
        let outputs = match direction {
            Direction::Forward => shape.out_channels,
            Direction::Backward => shape.in_channels,
        };
        let isa = for_columns(isa, outputs);
        let packer = Packer::new(shape, direction, panel_width(isa), w);
        let values = match algorithm {
            Algorithm::Direct => match uses {
                Use::Any => packer.pack(),
                Use::Once => packer.only(plan(shape, direction).live_taps()).pack(),
            },
            Algorithm::Winograd2 => winograd::transform_weights::<F2, 2, 4>(isa, &packer),
            Algorithm::Winograd4 => winograd::transform_weights::<F4, 4, 6>(isa, &packer),
        };
        Ok(Self {
            isa,
            algorithm,
            shape: *shape,
            direction,
            values,
        })
    }

    /// The algorithm that they are packed for.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Rejects a shape that differs from the packed one in more than batch and image size.
    pub(crate) fn check(&self, shape: &ConvShape, direction: Direction) -> Result<(), ShapeError> {
        shape.check()?;
        let fields = [
            ("pass", self.direction as usize, direction as usize),
            ("in_channels", self.shape.in_channels, shape.in_channels),
            ("out_channels", self.shape.out_channels, shape.out_channels),
            ("kernel", self.shape.kernel, shape.kernel),
            ("stride", self.shape.stride, shape.stride),
        ];
        let zeros = |shape: &ConvShape| [shape.padding.rows, shape.padding.columns].concat();
        let padding = zeros(&self.shape).into_iter().zip(zeros(shape));
        let padding = padding.map(|(packed, used)| ("padding", packed, used));
        match fields
            .into_iter()
            .chain(padding)
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

    /// Writes all of `output`. The caller has checked the lengths.
    pub(crate) fn convolve(
        &self,
        shape: &ConvShape,
        input: &[f32],
        epilogue: &Epilogue<'_>,
        output: &mut [f32],
    ) {
        let (isa, weights, run) = (self.isa, &*self.values, (shape, self.direction));
        match self.algorithm {
            Algorithm::Direct => {
                let channels = match self.direction {
                    Direction::Forward => shape.out_channels,
                    Direction::Backward => shape.in_channels,
                };
                let plan = plan(shape, self.direction);
                direct::convolve(isa, &plan, input, weights, epilogue, (output, channels));
            }
            Algorithm::Winograd2 => {
                winograd::convolve::<F2, 2, 4>(isa, run, input, weights, epilogue, output);
            }
            Algorithm::Winograd4 => {
                winograd::convolve::<F4, 4, 6>(isa, run, input, weights, epilogue, output);
            }
        }
    }
}
