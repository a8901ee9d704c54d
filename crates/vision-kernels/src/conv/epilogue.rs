//! Operations on the sums of a convolution before the final write.

// Loops over a vector index several arrays at once, with constant indices.
#![allow(clippy::needless_range_loop)]

use super::classes::Pixel;
use crate::activation::Activation;
use crate::activation::function::{Function, with_function};
use crate::error::{ShapeError, check_len};
use crate::isa::{Kernel, Lanes, prefetch};

/// `y = activation(y * scale + shift + residual)`. Parts that are `None` are omitted.
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
    /// A function of each value.
    pub activation: Option<Activation>,
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

    /// Whether it changes nothing.
    pub(crate) fn is_empty(&self) -> bool {
        let parts = (self.scale, self.shift, self.residual, self.activation);
        matches!(parts, (None, None, None, None))
    }

    /// Fetches the terms of `len` values of one pixel from channel `first` on.
    #[inline(always)]
    pub(crate) fn prefetch(&self, len: usize, pixel: usize, channels: usize, first: usize) {
        if let Some(residual) = self.residual {
            prefetch(&residual[pixel * channels + first..][..len]);
        }
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
        if self.is_empty() {
            return;
        }
        let len = values.len();
        let scale = self.scale.map(|scale| &scale[first..first + len]);
        let shift = self.shift.map(|shift| &shift[first..first + len]);
        let start = pixel * channels + first;
        let residual = self.residual.map(|residual| &residual[start..start + len]);
        let whole = len / W * W;
        let (vectors, rest) = values.split_at_mut(whole);
        let [head, tail] =
            [0, whole].map(|at| [scale, shift, residual].map(|part| part.map(|part| &part[at..])));
        with_function!(self.activation, |F| {
            vectors_of::<L, F, W>(vectors, head);
            vectors_of::<L, F, 1>(rest, tail);
        });
    }

    /// Applies it to all channels of one pixel, with vectors of the instruction set.
    #[inline(always)]
    pub(crate) fn apply_all<L: Lanes>(&self, values: &mut [f32], pixel: usize) {
        let channels = values.len();
        match L::WIDTH {
            16 => self.apply::<L, 16>(values, pixel, channels, 0),
            8 => self.apply::<L, 8>(values, pixel, channels, 0),
            _ => self.apply::<L, 4>(values, pixel, channels, 0),
        }
    }
}

/// The epilogue of some pixels, given with their classes: of the channels from `first` on.
pub(super) struct Rows<'a, 'b> {
    pub(super) epilogue: &'a Epilogue<'a>,
    pub(super) pixels: &'a [(usize, Pixel)],
    pub(super) values: &'a mut [&'b mut [f32]],
    pub(super) channels: usize,
    pub(super) first: usize,
}

impl Kernel for Rows<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self) {
        for (values, (_, pixel)) in self.values.iter_mut().zip(self.pixels) {
            let (channels, first) = (self.channels, self.first);
            match L::WIDTH {
                16 => self
                    .epilogue
                    .apply::<L, 16>(values, pixel.index, channels, first),
                8 => self
                    .epilogue
                    .apply::<L, 8>(values, pixel.index, channels, first),
                _ => self
                    .epilogue
                    .apply::<L, 4>(values, pixel.index, channels, first),
            }
        }
    }
}

/// `F(values * scale + shift + residual)`.
///
/// A vector is computed by value: if a function changed it in place, its comparison would become a masked
/// store, which is slow on Zen 3. Without a scale or a term, the ones
/// and zeros in their place change no value, not even the sign of a zero.
#[inline(always)]
fn vectors_of<L: Lanes, F: Function, const W: usize>(
    values: &mut [f32],
    [scale, shift, residual]: [Option<&[f32]>; 3],
) {
    let [scale, shift, residual] =
        [scale, shift, residual].map(|part| part.map(|part| part.as_chunks::<W>().0));
    for (at, values) in values.as_chunks_mut::<W>().0.iter_mut().enumerate() {
        let factors = scale.map_or(&[1.0; W], |scale| &scale[at]);
        let terms = shift.map_or(&[-0.0; W], |shift| &shift[at]);
        let more = residual.map_or(&[-0.0; W], |residual| &residual[at]);
        let mut vector = *values;
        for w in 0..W {
            vector[w] = F::value::<L>(L::mul_add(vector[w], factors[w], terms[w]) + more[w]);
        }
        *values = vector;
    }
}
