//! Shape of a depthwise convolution.

use crate::error::ShapeError;
use crate::padding::{Padding, padded};

/// A depthwise convolution (PyTorch's `groups = in_channels = out_channels`) with a square kernel.
///
/// Activations are channels-last, `[batch, height, width, channels]`; weights are as in PyTorch,
/// `[channels, 1, kernel, kernel]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DepthwiseShape {
    /// Number of images.
    pub batch: usize,
    /// Rows of the input.
    pub height: usize,
    /// Columns of the input.
    pub width: usize,
    /// Channels of input and output.
    pub channels: usize,
    /// Side of the kernel, at least 1.
    pub kernel: usize,
    /// Distance between output pixels, in input pixels. At least 1.
    pub stride: usize,
    /// Zeros around the input.
    pub padding: Padding,
    /// Distance between kernel taps, in input pixels. At least 1.
    pub dilation: usize,
}

impl DepthwiseShape {
    /// Rows of the output; 0 if the kernel does not fit.
    pub fn out_height(&self) -> usize {
        self.out_side(self.height, self.padding.rows)
    }

    /// Columns of the output; 0 if the kernel does not fit.
    pub fn out_width(&self) -> usize {
        self.out_side(self.width, self.padding.columns)
    }

    fn out_side(&self, side: usize, zeros: [usize; 2]) -> usize {
        match padded(side, zeros).checked_sub(self.reach()) {
            Some(room) => room / self.stride.max(1) + 1,
            None => 0,
        }
    }

    /// Side of the kernel, including the gaps between its taps.
    fn reach(&self) -> usize {
        let gaps = self.kernel.saturating_sub(1);
        gaps.saturating_mul(self.dilation).saturating_add(1)
    }

    /// Number of input values, `[batch, height, width, channels]`.
    pub fn input_len(&self) -> usize {
        self.len(self.height, self.width)
    }

    /// Number of output values, `[batch, out_height, out_width, channels]`.
    pub fn output_len(&self) -> usize {
        self.len(self.out_height(), self.out_width())
    }

    /// Number of weights, `[channels, 1, kernel, kernel]`.
    pub fn weight_len(&self) -> usize {
        product([self.channels, self.kernel, self.kernel, 1])
    }

    fn len(&self, height: usize, width: usize) -> usize {
        product([self.batch, height, width, self.channels])
    }

    /// Rejects shapes without output, and shapes that do not fit into memory. Empty batches, images
    /// and channels are allowed.
    pub(super) fn check(&self) -> Result<(), ShapeError> {
        let sizes = [
            ("kernel", self.kernel),
            ("stride", self.stride),
            ("dilation", self.dilation),
        ];
        for (field, value) in sizes {
            if value == 0 {
                return Err(ShapeError::Zero { field });
            }
        }
        let sides = [
            ("height", padded(self.height, self.padding.rows)),
            ("width", padded(self.width, self.padding.columns)),
        ];
        for (field, padded) in sides {
            let kernel = self.reach();
            if kernel > padded {
                return Err(ShapeError::KernelTooLarge {
                    field,
                    kernel,
                    padded,
                });
            }
        }
        // A fraction of the address space, because positions along a side are added to each other.
        let limit = isize::MAX as usize / 64;
        for len in [self.input_len(), self.output_len(), self.weight_len()] {
            if len > limit {
                return Err(ShapeError::TooLarge);
            }
        }
        if sides.iter().any(|&(_, padded)| padded > limit) {
            return Err(ShapeError::TooLarge);
        }
        Ok(())
    }
}

/// A saturating product, so that [`DepthwiseShape::check`] detects overflow.
fn product(sizes: [usize; 4]) -> usize {
    if sizes.contains(&0) {
        return 0;
    }
    sizes.iter().fold(1, |all, &size| all.saturating_mul(size))
}
