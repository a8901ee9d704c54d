//! Layer normalization over the channels of each pixel, or of each token.
//!
//! ```text
//! y = (x - mean) * inv_std * gamma + beta,   inv_std = 1 / sqrt(variance + eps)
//! ```
//!
//! over `[pixels, channels]`, with mean and biased variance of each pixel (J. Ba et al., "Layer Normalization", 2016).
//! Forward reads `x` and writes `y`; backward reads `x` and `dy` and writes `dx`.
//!
//! ```
//! use vision_kernels::Isa;
//! use vision_kernels::layer_norm::LayerNorm;
//!
//! let norm = LayerNorm { channels: 2, eps: 0.0 };
//! let mut y = [0.0; 4];
//! let stats = norm.forward(Isa::detect(), &[1.0, 3.0, 8.0, 4.0], [&[1.0, 2.0], &[0.0, 1.0]], &mut y)?;
//! assert_eq!((stats.mean, y), (vec![2.0, 6.0], [-1.0, 3.0, 1.0, -1.0]));
//! # Ok::<(), vision_kernels::ShapeError>(())
//! ```

use crate::blocks;
use crate::error::check_len;
use crate::isa::{Kernel, Lanes, dispatch};
use crate::{Isa, ShapeError};

/// Values whose sums are in registers side by side.
const WIDE: usize = 32;

/// A layer normalization over the last dimension.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LayerNorm {
    /// Channels, at least 1.
    pub channels: usize,
    /// Added to the variance before the square root.
    pub eps: f32,
}

/// The statistics of each pixel.
#[derive(Clone, Debug, PartialEq)]
pub struct PixelStats {
    /// The mean, `[pixels]`.
    pub mean: Vec<f32>,
    /// `1 / sqrt(variance + eps)`, `[pixels]`.
    pub inv_std: Vec<f32>,
}

/// Gradients of the parameters, `[channels]` each.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerNormGrads {
    /// Gradient of the scale.
    pub gamma: Vec<f32>,
    /// Gradient of the shift.
    pub beta: Vec<f32>,
}

impl LayerNorm {
    /// Normalizes: `x` and `y` are `[pixels, channels]`, `gamma` and `beta` `[channels]`.
    ///
    /// # Errors
    ///
    /// If a length does not fit, or there are no channels.
    pub fn forward(
        &self,
        isa: Isa,
        x: &[f32],
        [gamma, beta]: [&[f32]; 2],
        y: &mut [f32],
    ) -> Result<PixelStats, ShapeError> {
        let pixels = self.check(x, gamma)?;
        check_len("beta", self.channels, beta.len())?;
        check_len("y", x.len(), y.len())?;
        let mut stats = PixelStats {
            mean: vec![0.0; pixels],
            inv_std: vec![0.0; pixels],
        };
        let step = self.step();
        let values = x
            .chunks(step * self.channels)
            .zip(y.chunks_mut(step * self.channels));
        let tasks = values
            .zip(
                stats
                    .mean
                    .chunks_mut(step)
                    .zip(stats.inv_std.chunks_mut(step)),
            )
            .map(|((x, y), (mean, inv_std))| Forward {
                norm: *self,
                affine: [gamma, beta],
                x,
                y,
                mean,
                inv_std,
            })
            .collect();
        blocks::run(tasks, x.len(), |task| dispatch(isa, task));
        Ok(stats)
    }

    /// The gradients, from `dy`, the gradient of the output. Writes that of the input, `[pixels, channels]`.
    ///
    /// # Errors
    ///
    /// If a length does not fit, or there are no channels.
    pub fn backward(
        &self,
        isa: Isa,
        x: &[f32],
        gamma: &[f32],
        stats: &PixelStats,
        dy: &[f32],
        dx: &mut [f32],
    ) -> Result<LayerNormGrads, ShapeError> {
        let pixels = self.check(x, gamma)?;
        check_len("stats.mean", pixels, stats.mean.len())?;
        check_len("stats.inv_std", pixels, stats.inv_std.len())?;
        check_len("dy", x.len(), dy.len())?;
        check_len("dx", x.len(), dx.len())?;
        let step = self.step();
        let size = step * self.channels;
        let values = (x.chunks(size).zip(dy.chunks(size))).zip(dx.chunks_mut(size));
        let tasks = values
            .zip(stats.mean.chunks(step).zip(stats.inv_std.chunks(step)))
            .map(|(((x, dy), dx), (mean, inv_std))| Backward {
                gamma,
                x,
                dy,
                dx,
                mean,
                inv_std,
            })
            .collect();
        let parts = blocks::run(tasks, x.len(), |task| dispatch(isa, task));
        let wide = |values: Vec<f32>| values.into_iter().map(f64::from).collect();
        let none = || [vec![0.0; self.channels], vec![0.0; self.channels]];
        let parts = std::iter::once(none()).chain(parts.into_iter().map(|part| part.map(wide)));
        let [gamma, beta] = blocks::total(parts.collect());
        let narrow = |sums: Vec<f64>| sums.into_iter().map(|sum| sum as f32).collect();
        Ok(LayerNormGrads {
            gamma: narrow(gamma),
            beta: narrow(beta),
        })
    }

    /// Pixels in a task.
    fn step(&self) -> usize {
        blocks::pixels_per_sum(self.channels)
    }

    /// Returns the number of pixels.
    fn check(&self, x: &[f32], gamma: &[f32]) -> Result<usize, ShapeError> {
        if self.channels == 0 {
            return Err(ShapeError::Zero { field: "channels" });
        }
        check_len("gamma", self.channels, gamma.len())?;
        let pixels = x.len() / self.channels;
        check_len("x", pixels * self.channels, x.len())?;
        Ok(pixels)
    }
}

/// Sums of a term of each value, in an order that the length alone decides.
#[inline(always)]
fn sum(values: &[f32], term: impl Fn(f32) -> f32) -> f32 {
    let (vectors, rest) = values.as_chunks::<WIDE>();
    let mut wide = [0.0; WIDE];
    for values in vectors {
        for i in 0..WIDE {
            wide[i] += term(values[i]);
        }
    }
    let mut sum = 0.0;
    for value in rest {
        sum += term(*value);
    }
    sum + fold(&wide)
}

/// Sums of two terms of each triple of values.
#[inline(always)]
fn sums(values: [&[f32]; 3], terms: impl Fn([f32; 3]) -> [f32; 2]) -> [f32; 2] {
    let [(a, a_rest), (b, b_rest), (c, c_rest)] = values.map(|part| part.as_chunks::<WIDE>());
    let (mut first, mut second) = ([0.0; WIDE], [0.0; WIDE]);
    for ((a, b), c) in a.iter().zip(b).zip(c) {
        for i in 0..WIDE {
            let [x, y] = terms([a[i], b[i], c[i]]);
            first[i] += x;
            second[i] += y;
        }
    }
    let mut sums = [0.0; 2];
    for ((a, b), c) in a_rest.iter().zip(b_rest).zip(c_rest) {
        let [x, y] = terms([*a, *b, *c]);
        sums = [sums[0] + x, sums[1] + y];
    }
    [sums[0] + fold(&first), sums[1] + fold(&second)]
}

/// The sum of all, by halves. Not inlined: if these sums met those above in one function, the compiler would make pairs of
/// all of them, and use a quarter of a register.
#[inline(never)]
fn fold(wide: &[f32; WIDE]) -> f32 {
    let mut sums = *wide;
    let mut width = WIDE;
    while width > 1 {
        width /= 2;
        for i in 0..width {
            sums[i] += sums[i + width];
        }
    }
    sums[0]
}

struct Forward<'a> {
    norm: LayerNorm,
    affine: [&'a [f32]; 2],
    x: &'a [f32],
    y: &'a mut [f32],
    mean: &'a mut [f32],
    inv_std: &'a mut [f32],
}

impl Kernel for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self) {
        let channels = self.norm.channels;
        let [gamma, beta] = self.affine.map(|values| &values[..channels]);
        let pixels = (self.x.chunks_exact(channels)).zip(self.y.chunks_exact_mut(channels));
        for ((x, y), (mean, inv_std)) in pixels.zip(self.mean.iter_mut().zip(self.inv_std)) {
            let (x, y) = (&x[..channels], &mut y[..channels]);
            let m = sum(x, |x| x) / channels as f32;
            let squares = sum(x, |x| (x - m) * (x - m));
            let scale = 1.0 / (squares / channels as f32 + self.norm.eps).sqrt();
            for c in 0..channels {
                y[c] = L::mul_add((x[c] - m) * scale, gamma[c], beta[c]);
            }
            (*mean, *inv_std) = (m, scale);
        }
    }
}

struct Backward<'a> {
    gamma: &'a [f32],
    x: &'a [f32],
    dy: &'a [f32],
    dx: &'a mut [f32],
    mean: &'a [f32],
    inv_std: &'a [f32],
}

impl Kernel for Backward<'_> {
    /// The gradients of gamma and beta.
    type Output = [Vec<f32>; 2];

    #[inline(always)]
    fn run<L: Lanes>(self) -> Self::Output {
        let channels = self.gamma.len();
        let gamma = &self.gamma[..channels];
        let mut grads = [vec![0.0; channels], vec![0.0; channels]];
        let [dgamma, dbeta] = &mut grads;
        let (dgamma, dbeta) = (&mut dgamma[..channels], &mut dbeta[..channels]);
        let inputs = self
            .x
            .chunks_exact(channels)
            .zip(self.dy.chunks_exact(channels));
        let stats = self.mean.iter().zip(self.inv_std);
        for (((x, dy), dx), (&mean, &inv_std)) in
            inputs.zip(self.dx.chunks_exact_mut(channels)).zip(stats)
        {
            let (x, dy, dx) = (&x[..channels], &dy[..channels], &mut dx[..channels]);
            let normalized = |x: f32| (x - mean) * inv_std;
            let [sum, product] = sums([x, dy, gamma], |[x, dy, gamma]| {
                let g = dy * gamma;
                [g, g * normalized(x)]
            });
            let (sum, product) = (sum / channels as f32, product / channels as f32);
            for c in 0..channels {
                let h = normalized(x[c]);
                dx[c] = inv_std * (L::mul_add(dy[c], gamma[c], -sum) - h * product);
                dgamma[c] = L::mul_add(dy[c], h, dgamma[c]);
                dbeta[c] += dy[c];
            }
        }
        grads
    }
}
