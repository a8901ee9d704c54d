//! Shape of a convolution.

use crate::error::ShapeError;
use crate::padding::{Padding, padded};

/// Largest side of an image with its padding, in pixels.
const LONGEST_SIDE: usize = 1 << 24;

/// A two-dimensional convolution with a square kernel, one group and no dilation.
///
/// Activations are channels-last, `[batch, height, width, channels]`; weights are as in PyTorch,
/// `[out_channels, in_channels, kernel, kernel]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ConvShape {
    /// Number of images.
    pub batch: usize,
    /// Rows of the input.
    pub height: usize,
    /// Columns of the input.
    pub width: usize,
    /// Channels of the input.
    pub in_channels: usize,
    /// Channels of the output.
    pub out_channels: usize,
    /// Side of the kernel, at least 1.
    pub kernel: usize,
    /// Distance between output pixels, in input pixels. At least 1.
    pub stride: usize,
    /// Zeros around the input.
    pub padding: Padding,
}

impl ConvShape {
    /// Rows of the output; 0 if the kernel does not fit.
    pub fn out_height(&self) -> usize {
        self.out_side(self.height, self.padding.rows)
    }

    /// Columns of the output; 0 if the kernel does not fit.
    pub fn out_width(&self) -> usize {
        self.out_side(self.width, self.padding.columns)
    }

    fn out_side(&self, side: usize, zeros: [usize; 2]) -> usize {
        match padded(side, zeros).checked_sub(self.kernel) {
            Some(room) => room / self.stride.max(1) + 1,
            None => 0,
        }
    }

    /// Number of input values, `[batch, height, width, in_channels]`.
    pub fn input_len(&self) -> usize {
        product(&[self.batch, self.height, self.width, self.in_channels])
    }

    /// Number of output values, `[batch, out_height, out_width, out_channels]`.
    pub fn output_len(&self) -> usize {
        product(&[
            self.batch,
            self.out_height(),
            self.out_width(),
            self.out_channels,
        ])
    }

    /// Number of weights, `[out_channels, in_channels, kernel, kernel]`.
    pub fn weight_len(&self) -> usize {
        product(&[
            self.out_channels,
            self.in_channels,
            self.kernel,
            self.kernel,
        ])
    }

    /// Floating-point operations of one pass, counted as usual: two per weight and output pixel,
    /// including those on padding.
    pub fn flops(&self) -> f64 {
        let pixels = self.batch as f64 * self.out_height() as f64 * self.out_width() as f64;
        2.0 * pixels * self.weight_len() as f64
    }

    /// Rejects shapes without output, and shapes that do not fit into memory. Empty batches, images
    /// and channels are allowed.
    pub(crate) fn check(&self) -> Result<(), ShapeError> {
        for (field, value) in [("kernel", self.kernel), ("stride", self.stride)] {
            if value == 0 {
                return Err(ShapeError::Zero { field });
            }
        }
        for (field, side, zeros) in [
            ("height", self.height, self.padding.rows),
            ("width", self.width, self.padding.columns),
        ] {
            let padded = padded(side, zeros);
            if self.kernel > padded {
                return Err(ShapeError::KernelTooLarge {
                    field,
                    kernel: self.kernel,
                    padded,
                });
            }
            // A plan takes memory per row and column, also of images without channels.
            if padded > LONGEST_SIDE {
                return Err(ShapeError::TooLarge);
            }
        }
        // This fraction of the address space leaves room for the transformed and padded copies.
        let limit = isize::MAX as usize / 64;
        for len in [self.input_len(), self.output_len(), self.weight_len()] {
            if len > limit {
                return Err(ShapeError::TooLarge);
            }
        }
        Ok(())
    }

    /// Kernel taps.
    pub(crate) fn taps(&self) -> usize {
        self.kernel * self.kernel
    }
}

/// A saturating product, so that [`ConvShape::check`] detects overflow.
fn product(sizes: &[usize]) -> usize {
    if sizes.contains(&0) {
        return 0;
    }
    sizes.iter().fold(1, |all, &size| all.saturating_mul(size))
}
