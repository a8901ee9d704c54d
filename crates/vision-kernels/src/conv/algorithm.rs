//! Which algorithm computes a convolution, and how exactly.

use super::ConvShape;

/// How much of the accuracy may be given for speed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Accuracy {
    /// Only direct convolution. A NaN or an infinity goes where the definition says and no further.
    Direct,
    /// F(2x2) at most.
    #[default]
    Balanced,
    /// F(4x4) where it is fastest.
    Fast,
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

/// How a convolution is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// Products of gathered rows, for any shape.
    Direct,
    /// Winograd's F(2x2, 3x3).
    Winograd2,
    /// Winograd's F(4x4, 3x3).
    Winograd4,
}

impl Algorithm {
    /// Itself where it can compute the shape, and direct convolution elsewhere: Winograd's algorithms are
    /// for kernels of 3 with stride 1 and padding of at most 2.
    pub fn or_direct(self, shape: &ConvShape) -> Self {
        if shape.kernel == 3 && shape.stride == 1 && shape.padding <= 2 {
            self
        } else {
            Self::Direct
        }
    }
}

/// The algorithm for a shape.
pub fn algorithm(shape: &ConvShape, pass: Pass, accuracy: Accuracy) -> Algorithm {
    let channels = shape.in_channels.min(shape.out_channels);
    let side = shape.out_height().min(shape.out_width());
    let most = shape.in_channels.max(shape.out_channels);
    let _ = pass;
    let algorithm = match accuracy {
        Accuracy::Direct => Algorithm::Direct,
        _ if channels < 32 || side < 4 => Algorithm::Direct,
        Accuracy::Balanced => Algorithm::Winograd2,
        Accuracy::Fast if most < 512 => Algorithm::Winograd4,
        Accuracy::Fast => Algorithm::Direct,
    };
    algorithm.or_direct(shape)
}
