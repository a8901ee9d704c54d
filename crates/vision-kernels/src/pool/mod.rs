//! Pooling over windows: maximum and mean.
//!
//! The maximum follows PyTorch: padding counts as minus infinity, the first (in row order) of equal
//! values is chosen, and NaN is greater than any number. The last NaN of a window is chosen.
//!
//! ```
//! use vision_kernels::{Isa, pool::{Activations, MaxPool, max_pool, max_pool_backward}};
//!
//! let pool = MaxPool { kernel: [2, 2], stride: [2, 2], padding: [0, 0], ceil_mode: false };
//! let input = Activations { batch: 1, height: 2, width: 4, channels: 1 };
//! let x = [1.0, 2.0, 5.0, 0.0,
//!          4.0, 3.0, 0.0, 5.0];
//! let (mut y, mut argmax, mut dx) = ([0.0; 2], [0; 2], [0.0; 8]);
//! max_pool(Isa::detect(), &pool, &input, &x, &mut y, Some(&mut argmax))?;
//! assert_eq!((y, argmax), ([4.0, 5.0], [2, 0]));
//! max_pool_backward(Isa::detect(), &pool, &input, &[1.0, 2.0], &argmax, &mut dx)?;
//! assert_eq!(dx, [0.0, 0.0, 2.0, 0.0, 1.0, 0.0, 0.0, 0.0]);
//! # Ok::<(), vision_kernels::ShapeError>(())
//! ```

mod backward;
mod forward;
mod mean;

use std::ops::Range;

pub use backward::max_pool_backward;
pub use forward::max_pool;
pub use mean::{MeanPool, mean_windows, mean_windows_backward};

use crate::error::{ShapeError, check_len};

/// The shape of activations in channels-last order, `[batch, height, width, channels]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Activations {
    /// Number of images.
    pub batch: usize,
    /// Number of rows.
    pub height: usize,
    /// Number of columns.
    pub width: usize,
    /// Number of channels.
    pub channels: usize,
}

impl Activations {
    /// Number of values.
    pub fn elements(&self) -> usize {
        // Saturates: no slice has that length, and slice lengths are what this is compared with.
        (self.batch.saturating_mul(self.height))
            .saturating_mul(self.width)
            .saturating_mul(self.channels)
    }

    /// Values of one row of one image.
    fn row(&self) -> usize {
        self.width * self.channels
    }
}

/// Max pooling. Pairs are (vertical, horizontal).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MaxPool {
    /// The window: at most 256 pixels.
    pub kernel: [usize; 2],
    /// The distance between windows.
    pub stride: [usize; 2],
    /// Padding on each side; at most half the window.
    pub padding: [usize; 2],
    /// Whether windows may extend beyond the far side, as with `ceil_mode` in PyTorch.
    pub ceil_mode: bool,
}

impl MaxPool {
    /// The shape of the output.
    ///
    /// # Errors
    ///
    /// If the window or the stride is 0, the window is too large for its index to fit into a byte,
    /// the padding is more than half the window, or the input is smaller than the window.
    pub fn output(&self, input: &Activations) -> Result<Activations, ShapeError> {
        let [area, bound] = [self.kernel[0].saturating_mul(self.kernel[1]), 256];
        if area > bound {
            check_len("kernel", bound, area)?;
        }
        Ok(Activations {
            height: self.windows(0, input.height)?,
            width: self.windows(1, input.width)?,
            ..*input
        })
    }

    /// Number of windows along one axis.
    fn windows(&self, axis: usize, size: usize) -> Result<usize, ShapeError> {
        let (kernel, stride, padding) = (self.kernel[axis], self.stride[axis], self.padding[axis]);
        check_len("kernel", kernel.max(1), kernel)?;
        check_len("stride", stride.max(1), stride)?;
        check_len("padding", padding.min(kernel / 2), padding)?;
        let padded = size.saturating_add(2 * padding);
        let room = padded.checked_sub(kernel);
        let room = room.filter(|_| size > 0).ok_or(ShapeError::Length {
            field: "x",
            expected: (kernel - 2 * padding).max(1),
            found: size,
        })?;
        if !self.ceil_mode {
            return Ok(room / stride + 1);
        }
        let windows = room.div_ceil(stride) + 1;
        // A window that begins in the far padding would see nothing.
        let seen = (windows - 1) * stride < size + padding;
        Ok(if seen { windows } else { windows - 1 })
    }

    /// The taps of window `index` that lie inside the input, along one axis.
    #[inline(always)]
    fn taps(&self, axis: usize, index: usize, size: usize) -> Range<usize> {
        let start = index * self.stride[axis];
        let first = self.padding[axis].saturating_sub(start);
        let end = (size + self.padding[axis] - start).min(self.kernel[axis]);
        first..end
    }

    /// The windows that contain position `index` of the input, along one axis.
    #[inline(always)]
    fn seen_by(&self, axis: usize, index: usize, windows: usize) -> Range<usize> {
        let padded = index + self.padding[axis];
        let first = (padded + 1)
            .saturating_sub(self.kernel[axis])
            .div_ceil(self.stride[axis]);
        first..(padded / self.stride[axis] + 1).min(windows)
    }
}
