//! Global response normalization (S. Woo et al., "ConvNeXt V2", 2023, section 3).
//!
//! ```text
//! norm = √(Σ x²) of a channel over the pixels of an image
//! y = x * (1 + scale * norm / (mean of the norms of all channels + eps)) + shift
//! ```

use crate::blocks;
use crate::channel_scale::scale_channels_backward;
use crate::error::check_len;
use crate::isa::{Kernel, Lanes, dispatch};
use crate::pool::Activations;
use crate::{Isa, ShapeError, bias};

/// The layer, for images of a size.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ResponseNorm {
    pub(crate) shape: Activations,
    /// Added to the mean norm.
    pub(crate) eps: f64,
}

/// The gradients of the scale and the shift.
pub(crate) struct Gradients {
    pub(crate) scale: Vec<f32>,
    pub(crate) shift: Vec<f32>,
}

impl ResponseNorm {
    /// Writes all of `y`. Returns the norms, `[batch, channels]`, for [`backward`](Self::backward).
    pub(crate) fn forward(
        &self,
        isa: Isa,
        x: &[f32],
        [scale, shift]: [&[f32]; 2],
        y: &mut [f32],
    ) -> Result<Vec<f32>, ShapeError> {
        let shape = &self.shape;
        check_len("scale", shape.channels, scale.len())?;
        check_len("shift", shape.channels, shift.len())?;
        check_len("y", shape.elements(), y.len())?;
        // The gradient of factors of channels is the sum of their products with what arrives: here, with themselves.
        let mut norms = vec![0.0; shape.batch * shape.channels];
        let ones = vec![1.0; norms.len()];
        scale_channels_backward(isa, shape, x, &ones, x, None, &mut norms)?;
        norms.iter_mut().for_each(|norm| *norm = norm.sqrt());
        let mut factors = norms.clone();
        for image in factors.chunks_mut(shape.channels.max(1)) {
            let mean = self.mean(image);
            for (factor, scale) in image.iter_mut().zip(scale) {
                *factor = (1.0 + f64::from(*scale) * f64::from(*factor) / mean) as f32;
            }
        }
        let shifts = shift.repeat(shape.batch);
        self.combine(isa, (x, &factors), Other::Shift(&shifts), y);
        Ok(norms)
    }

    /// Writes all of `dx`, the gradient of the input, from the gradient `dy` of the output.
    pub(crate) fn backward(
        &self,
        isa: Isa,
        x: &[f32],
        (scale, norms): (&[f32], &[f32]),
        dy: &[f32],
        dx: &mut [f32],
    ) -> Result<Gradients, ShapeError> {
        let shape = &self.shape;
        check_len("scale", shape.channels, scale.len())?;
        check_len("norms", shape.batch * shape.channels, norms.len())?;
        check_len("dx", shape.elements(), dx.len())?;
        let mut products = vec![0.0; norms.len()];
        scale_channels_backward(isa, shape, x, norms, dy, None, &mut products)?;
        let mut dscale = vec![0.0; shape.channels];
        let (mut of_dy, mut of_x) = (products.clone(), products.clone());
        let channels = shape.channels.max(1);
        let images = norms.chunks(channels).zip(products.chunks(channels));
        let factors = of_dy.chunks_mut(channels).zip(of_x.chunks_mut(channels));
        for ((norms, products), (of_dy, of_x)) in images.zip(factors) {
            let mean = self.mean(norms);
            let mut together = 0.0;
            for c in 0..norms.len() {
                let relative = f64::from(norms[c]) / mean;
                let product = f64::from(products[c]);
                dscale[c] += product * relative;
                together += product * f64::from(scale[c]) * relative;
                of_dy[c] = (1.0 + f64::from(scale[c]) * relative) as f32;
            }
            let together = together / (norms.len() as f64 * mean);
            for c in 0..norms.len() {
                let norm = f64::from(norms[c]);
                let dnorm = f64::from(products[c]) * f64::from(scale[c]) / mean - together;
                // The square root has no gradient at 0; all values are 0 then, and PyTorch's norm passes nothing on.
                of_x[c] = if norm == 0.0 {
                    0.0
                } else {
                    (dnorm / norm) as f32
                };
            }
        }
        self.combine(isa, (dy, &of_dy), Other::Values(x, &of_x), dx);
        let mut shift = vec![0.0; shape.channels];
        bias::backward(isa, dy, &mut shift)?;
        let scale = dscale.into_iter().map(|sum| sum as f32).collect();
        Ok(Gradients { scale, shift })
    }

    fn mean(&self, norms: &[f32]) -> f64 {
        let sum: f64 = norms.iter().map(|norm| f64::from(*norm)).sum();
        sum / norms.len() as f64 + self.eps
    }

    /// `out = a * factors + other`, with a factor for each channel of each image.
    fn combine(&self, isa: Isa, (a, factors): (&[f32], &[f32]), other: Other<'_>, out: &mut [f32]) {
        let channels = self.shape.channels;
        let image = self.shape.height * self.shape.width * channels;
        if out.is_empty() {
            return;
        }
        // Whole pixels.
        let size = (blocks::BLOCK / channels).max(1) * channels;
        let mut tasks = Vec::new();
        for (at, (a, out)) in a.chunks(image).zip(out.chunks_mut(image)).enumerate() {
            let of_image = at * channels..(at + 1) * channels;
            let start = at * image;
            for (part, (a, out)) in a.chunks(size).zip(out.chunks_mut(size)).enumerate() {
                let first = start + part * size;
                let other = match other {
                    Other::Shift(shifts) => Other::Shift(&shifts[of_image.clone()]),
                    Other::Values(values, factors) => {
                        let values = &values[first..first + a.len()];
                        Other::Values(values, &factors[of_image.clone()])
                    }
                };
                let factors = &factors[of_image.clone()];
                tasks.push(Combine {
                    a,
                    factors,
                    other,
                    out,
                });
            }
        }
        blocks::run(tasks, a.len(), |task| dispatch(isa, task));
    }
}

/// What is added.
#[derive(Clone, Copy)]
enum Other<'a> {
    /// A value for each channel of each image.
    Shift(&'a [f32]),
    /// Values, and a factor for each channel of each image.
    Values(&'a [f32], &'a [f32]),
}

/// Some pixels of an image.
struct Combine<'a> {
    a: &'a [f32],
    factors: &'a [f32],
    other: Other<'a>,
    out: &'a mut [f32],
}

impl Kernel for Combine<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self) {
        let channels = self.factors.len();
        let pixels = self.out.chunks_exact_mut(channels);
        let pixels = pixels.zip(self.a.chunks_exact(channels));
        match self.other {
            Other::Shift(shift) => {
                for (out, a) in pixels {
                    let channels = out.iter_mut().zip(a).zip(self.factors.iter().zip(shift));
                    channels.for_each(|((out, a), (f, s))| *out = L::mul_add(*a, *f, *s));
                }
            }
            Other::Values(values, factors) => {
                for ((out, a), b) in pixels.zip(values.chunks_exact(channels)) {
                    let pairs = self.factors.iter().zip(b).zip(factors);
                    let channels = out.iter_mut().zip(a).zip(pairs);
                    channels.for_each(|((out, a), ((f, b), g))| *out = L::mul_add(*a, *f, b * g));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Output of the definition in `f64`.
    fn definition(norm: &ResponseNorm, x: &[f64], [scale, shift]: [&[f64]; 2]) -> Vec<f64> {
        let channels = norm.shape.channels;
        let image = norm.shape.height * norm.shape.width * channels;
        let mut y = Vec::new();
        for x in x.chunks(image) {
            let square = |c: usize| {
                x.iter()
                    .skip(c)
                    .step_by(channels)
                    .map(|v| v * v)
                    .sum::<f64>()
            };
            let norms: Vec<f64> = (0..channels).map(|c| square(c).sqrt()).collect();
            let mean = norms.iter().sum::<f64>() / channels as f64 + norm.eps;
            y.extend(x.iter().enumerate().map(|(i, v)| {
                let c = i % channels;
                v * (1.0 + scale[c] * norms[c] / mean) + shift[c]
            }));
        }
        y
    }

    fn values(seed: u64, len: usize) -> Vec<f64> {
        let mut state = seed;
        let next = |_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            // Of few bits, so that `f32` has them exactly.
            f64::from((state >> 48) as u16) / 32768.0 - 1.0
        };
        (0..len).map(next).collect()
    }

    fn narrow(values: &[f64]) -> Vec<f32> {
        values.iter().map(|v| *v as f32).collect()
    }

    fn close(what: &str, found: &[f32], expected: &[f64], tolerance: f64) {
        let largest = expected.iter().fold(0.0, |a: f64, b| a.max(b.abs()));
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(expected) {
            let error = (f64::from(*found) - expected).abs();
            assert!(
                error <= tolerance * largest,
                "{what}: {found}, not {expected}"
            );
        }
    }

    #[test]
    fn output_and_gradients_are_what_the_definition_says() {
        for (seed, [batch, height, width, channels]) in [
            (1, [2, 3, 5, 7]),
            (2, [1, 1, 1, 1]),
            (3, [3, 2, 2, 40]),
            (4, [1, 9, 8, 17]),
        ] {
            let shape = Activations {
                batch,
                height,
                width,
                channels,
            };
            let norm = ResponseNorm { shape, eps: 1e-6 };
            let x = values(seed, shape.elements());
            let dy = values(seed + 10, x.len());
            let (scale, shift) = (values(seed + 20, channels), values(seed + 30, channels));
            let expected = definition(&norm, &x, [&scale, &shift]);
            // Σ y dy changes with each input as its gradient says; differences of `f64` to 1e-8.
            let loss = |x: &[f64], scale: &[f64], shift: &[f64]| -> f64 {
                let y = definition(&norm, x, [scale, shift]);
                y.iter().zip(&dy).map(|(y, dy)| y * dy).sum()
            };
            let slopes = |values: &[f64], loss: &dyn Fn(&[f64]) -> f64| -> Vec<f64> {
                let slope = |i: usize| {
                    let at = |by: f64| {
                        let mut changed = values.to_vec();
                        changed[i] += by;
                        loss(&changed)
                    };
                    (at(1e-5) - at(-1e-5)) / 2e-5
                };
                (0..values.len()).map(slope).collect()
            };
            let dx = slopes(&x, &|x| loss(x, &scale, &shift));
            let dscale = slopes(&scale, &|scale| loss(&x, scale, &shift));
            let dshift = slopes(&shift, &|shift| loss(&x, &scale, shift));
            let [x, scale, shift, dy] = [&x, &scale, &shift, &dy].map(|v| narrow(v));
            for isa in [Isa::Avx512, Isa::Avx2, Isa::Portable] {
                let (mut y, mut found) = (vec![7.0; x.len()], vec![7.0; x.len()]);
                let norms = norm.forward(isa, &x, [&scale, &shift], &mut y).unwrap();
                close("y", &y, &expected, 1e-6);
                let grads = norm
                    .backward(isa, &x, (&scale, &norms), &dy, &mut found)
                    .unwrap();
                close("dx", &found, &dx, 1e-5);
                close("dscale", &grads.scale, &dscale, 1e-5);
                close("dshift", &grads.shift, &dshift, 1e-5);
            }
        }
    }

    #[test]
    fn a_channel_of_zeros_passes_on_what_arrives() {
        let shape = Activations {
            batch: 1,
            height: 1,
            width: 2,
            channels: 2,
        };
        let norm = ResponseNorm { shape, eps: 1e-6 };
        let (x, dy) = ([0.0, 3.0, 0.0, 4.0], [1.0, 0.0, 2.0, 0.0]);
        let (mut y, mut dx) = ([7.0; 4], [7.0; 4]);
        let norms = norm
            .forward(Isa::detect(), &x, [&[2.0; 2], &[1.0; 2]], &mut y)
            .unwrap();
        assert_eq!((norms, y[0]), (vec![0.0, 5.0], 1.0));
        norm.backward(Isa::detect(), &x, (&[2.0; 2], &[0.0, 5.0]), &dy, &mut dx)
            .unwrap();
        assert_eq!([dx[0], dx[2]], [1.0, 2.0]);
    }
}
