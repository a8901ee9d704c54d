//! Choice of the convolution algorithm and its accuracy.

use super::ConvShape;

/// How much accuracy may be traded for speed.
///
/// Errors are the largest error of a tensor relative to its largest value, measured for 64 to 256
/// channels with inputs as after a ReLU and weights as at the start of training.
/// `tests/it/conv_accuracy.rs` checks twice these errors as bounds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Accuracy {
    /// Only direct convolution: errors up to 1.6e-6 (root mean square 1.7e-7). A NaN or an infinity
    /// affects exactly the outputs that the definition says.
    Direct,
    /// Direct convolution or F(2x2), whose errors are no larger: up to 7e-7 (1e-7).
    #[default]
    Balanced,
    /// Direct convolution or F(4x4): errors up to 9e-6 (6e-7), and up to 6e-6 (3.5e-7) in the
    /// gradient of the weights.
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
    /// Products of gathered rows; works for any shape.
    Direct,
    /// Winograd's F(2x2, 3x3).
    Winograd2,
    /// Winograd's F(4x4, 3x3).
    Winograd4,
}

impl Algorithm {
    /// This algorithm if it can compute the shape, otherwise direct convolution. Winograd's
    /// algorithms require a kernel of 3, stride 1 and padding of at most 2, the same on each side.
    pub fn or_direct(self, shape: &ConvShape) -> Self {
        if shape.kernel == 3
            && shape.stride == 1
            && shape.padding.uniform().is_some_and(|zeros| zeros <= 2)
        {
            self
        } else {
            Self::Direct
        }
    }
}

/// Smallest number of channels, in and out, for which the transforms pay off.
const LEAST_CHANNELS: usize = 32;

/// Smallest number of tiles of F(4x4) for which it pays off to transform the weights and to read four times as many of
/// them.
const LEAST_TILES: usize = 24;

/// The algorithm for a shape: the Winograd algorithm that the accuracy allows, if it needs less
/// than 72 % of the multiplications of direct convolution (which skips padding). Direct convolution
/// otherwise, and for few channels or few tiles.
///
/// With padding of 1, F(2x2) and F(4x4) apply to maps with sides of 4, 6 and more.
pub fn algorithm(shape: &ConvShape, pass: Pass, accuracy: Accuracy) -> Algorithm {
    let (algorithm, tile) = match accuracy {
        Accuracy::Direct => return Algorithm::Direct,
        Accuracy::Balanced => (Algorithm::Winograd2, 2),
        Accuracy::Fast => (Algorithm::Winograd4, 4),
    };
    if algorithm.or_direct(shape) == Algorithm::Direct {
        return Algorithm::Direct;
    }
    let (height, width) = match pass {
        Pass::BackwardInput => (shape.height, shape.width),
        Pass::Forward | Pass::BackwardWeight => (shape.out_height(), shape.out_width()),
    };
    let tiles = height.div_ceil(tile) as f64 * width.div_ceil(tile) as f64;
    let points = (tile + 2) * (tile + 2);
    let taps = taps_along(shape, shape.height, shape.padding.rows)
        * taps_along(shape, shape.width, shape.padding.columns);
    // F(2x2) goes by the size of the images alone, so that an image has the same bits in a batch of any size.
    let is_small =
        algorithm == Algorithm::Winograd4 && tiles * (shape.batch as f64) < LEAST_TILES as f64;
    let few = shape.in_channels.min(shape.out_channels) < LEAST_CHANNELS || is_small;
    if few || tiles * points as f64 >= 0.72 * taps {
        Algorithm::Direct
    } else {
        algorithm
    }
}

/// Taps of all output pixels along a side of the image, without those on padding, at stride 1.
fn taps_along(shape: &ConvShape, side: usize, [before, after]: [usize; 2]) -> f64 {
    let outputs = (side + before + after + 1).saturating_sub(shape.kernel);
    (0..shape.kernel)
        .map(|tap| {
            let first = before.saturating_sub(tap);
            let end = outputs.min((side + before).saturating_sub(tap));
            end.saturating_sub(first) as f64
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_size_of_the_batch_does_not_choose_f2x2() {
        for side in 1..=64 {
            let of = |batch| {
                let shape = ConvShape {
                    batch,
                    ..shape(side)
                };
                algorithm(&shape, Pass::Forward, Accuracy::Balanced)
            };
            assert!((1..=64).all(|batch| of(batch) == of(64)), "{side}");
        }
        let of = |side| algorithm(&shape(side), Pass::Forward, Accuracy::Balanced);
        assert_eq!((of(2), of(4)), (Algorithm::Direct, Algorithm::Winograd2));
    }

    fn shape(side: usize) -> ConvShape {
        ConvShape {
            batch: 64,
            height: side,
            width: side,
            in_channels: 64,
            out_channels: 64,
            kernel: 3,
            stride: 1,
            padding: 1.into(),
        }
    }

    fn chosen(side: usize, accuracy: Accuracy) -> Algorithm {
        algorithm(&shape(side), Pass::Forward, accuracy)
    }

    #[test]
    fn the_rule_is_as_documented() {
        for side in 1..=60 {
            let winograd = matches!(side, 4 | 6..);
            let balanced = chosen(side, Accuracy::Balanced);
            let fast = chosen(side, Accuracy::Fast);
            assert_eq!(balanced == Algorithm::Winograd2, winograd, "{side}");
            assert_eq!(fast == Algorithm::Winograd4, winograd, "{side}");
            assert_eq!(chosen(side, Accuracy::Direct), Algorithm::Direct);
        }
    }
}
