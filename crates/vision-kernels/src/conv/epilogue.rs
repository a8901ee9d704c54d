//! What is done to the sums of a convolution before they are written for the last time.

use crate::error::{ShapeError, check_len};
use crate::isa::Lanes;

/// `y = relu(y * scale + shift + residual)`, each part left out where it is `None` or `false`.
///
/// With `scale` and `shift` a batch normalisation with fixed statistics costs nothing beside its
/// convolution; `shift` alone is a bias.
#[derive(Clone, Copy, Debug, Default)]
pub struct Epilogue<'a> {
    /// A factor for each output channel.
    pub scale: Option<&'a [f32]>,
    /// A term for each output channel.
    pub shift: Option<&'a [f32]>,
    /// A term for each output value, `[batch, out_height, out_width, out_channels]`.
    pub residual: Option<&'a [f32]>,
    /// Whether negative values become 0. A NaN stays.
    pub relu: bool,
}

impl Epilogue<'_> {
    /// Checks its lengths for an output of `len` values.
    pub(crate) fn check(&self, channels: usize, len: usize) -> Result<(), ShapeError> {
        if let Some(scale) = self.scale {
            check_len("scale", channels, scale.len())?;
        }
        if let Some(shift) = self.shift {
            check_len("shift", channels, shift.len())?;
        }
        if let Some(residual) = self.residual {
            check_len("residual", len, residual.len())?;
        }
        Ok(())
    }

    /// Applies it to the values of one pixel from channel `first` on. `channels` counts all of them.
    #[inline(always)]
    pub(crate) fn apply<L: Lanes>(
        &self,
        values: &mut [f32],
        pixel: usize,
        channels: usize,
        first: usize,
    ) {
        let end = first + values.len();
        match (self.scale, self.shift) {
            (Some(scale), Some(shift)) => {
                let factors = scale[first..end].iter().zip(&shift[first..end]);
                for (value, (scale, shift)) in values.iter_mut().zip(factors) {
                    *value = L::mul_add(*value, *scale, *shift);
                }
            }
            (Some(scale), None) => {
                for (value, scale) in values.iter_mut().zip(&scale[first..end]) {
                    *value *= scale;
                }
            }
            (None, Some(shift)) => {
                for (value, shift) in values.iter_mut().zip(&shift[first..end]) {
                    *value += shift;
                }
            }
            (None, None) => {}
        }
        if let Some(residual) = self.residual {
            let start = pixel * channels;
            for (value, term) in values.iter_mut().zip(&residual[start + first..start + end]) {
                *value += term;
            }
        }
        if self.relu {
            for value in values.iter_mut() {
                // Not `max`, which would turn a NaN into 0.
                *value = if *value < 0.0 { 0.0 } else { *value };
            }
        }
    }
}
