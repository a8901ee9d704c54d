//! Operations on the sums of a convolution before the final write.

use crate::error::{ShapeError, check_len};
use crate::isa::Lanes;

/// `y = relu(y * scale + shift + residual)`. Parts that are `None` or `false` are omitted.
///
/// With `scale` and `shift`, a batch normalization with fixed statistics costs nothing beside its
/// convolution. `shift` alone is a bias.
#[derive(Clone, Copy, Debug, Default)]
pub struct Epilogue<'a> {
    /// A factor per output channel.
    pub scale: Option<&'a [f32]>,
    /// A term per output channel.
    pub shift: Option<&'a [f32]>,
    /// A term per output value, `[batch, out_height, out_width, out_channels]`.
    pub residual: Option<&'a [f32]>,
    /// Whether negative values become 0. NaN stays NaN.
    pub relu: bool,
}

impl Epilogue<'_> {
    /// Checks the lengths for an output of `len` values.
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

    /// Applies it to the values of one pixel from channel `first` on. `channels` is the number of
    /// all channels.
    #[inline(always)]
    pub(crate) fn apply<L: Lanes, const W: usize>(
        &self,
        values: &mut [f32],
        pixel: usize,
        channels: usize,
        first: usize,
    ) {
        let (vectors, rest) = values.as_chunks_mut::<W>();
        let mut channel = first;
        for vector in vectors {
            self.apply_to::<L, W>(vector, pixel * channels, channel);
            channel += W;
        }
        for value in rest.as_chunks_mut::<1>().0 {
            self.apply_to::<L, 1>(value, pixel * channels, channel);
            channel += 1;
        }
    }

    /// The same for `N` channels of the pixel whose values begin at `start`.
    #[inline(always)]
    fn apply_to<L: Lanes, const N: usize>(
        &self,
        values: &mut [f32; N],
        start: usize,
        channel: usize,
    ) {
        let factor = self.scale.map(|scale| &scale[channel..channel + N]);
        let term = self.shift.map(|shift| &shift[channel..channel + N]);
        match (factor, term) {
            (Some(factor), Some(term)) => {
                for i in 0..N {
                    values[i] = L::mul_add(values[i], factor[i], term[i]);
                }
            }
            (Some(factor), None) => {
                for i in 0..N {
                    values[i] *= factor[i];
                }
            }
            (None, Some(term)) => {
                for i in 0..N {
                    values[i] += term[i];
                }
            }
            (None, None) => {}
        }
        if let Some(residual) = self.residual {
            let terms = &residual[start + channel..start + channel + N];
            for i in 0..N {
                values[i] += terms[i];
            }
        }
        if self.relu {
            for value in values {
                // Not `max`, which would turn a NaN into 0.
                *value = if *value < 0.0 { 0.0 } else { *value };
            }
        }
    }
}
