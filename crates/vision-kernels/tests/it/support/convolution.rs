//! Convolution by its definition, in `f64`, and inputs for it.

use vision_kernels::Isa;
use vision_kernels::conv::ConvShape;

/// Every instruction set that this machine has.
pub(crate) fn isas() -> Vec<Isa> {
    let all: &[Isa] = match Isa::detect() {
        Isa::Avx512 => &[Isa::Avx512, Isa::Avx2, Isa::Portable],
        Isa::Avx2 => &[Isa::Avx2, Isa::Portable],
        Isa::Neon => &[Isa::Neon, Isa::Portable],
        _ => &[Isa::Portable],
    };
    all.to_vec()
}

/// Pseudo-random values between -1 and 1: a multiplicative generator of 64 bits.
pub(crate) fn values(len: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    (0..len)
        .map(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            ((state >> 40) as f32 / (1 << 23) as f32) - 1.0
        })
        .collect()
}

/// A pass of the definition, with the sums of absolute values that errors are measured by.
pub(crate) struct Reference {
    /// Sums.
    pub(crate) sum: Vec<f64>,
    /// Sums of the absolute values of the terms.
    pub(crate) scale: Vec<f64>,
}

impl Reference {
    fn new(len: usize) -> Self {
        Self {
            sum: vec![0.0; len],
            scale: vec![0.0; len],
        }
    }

    fn add(&mut self, at: usize, a: f32, b: f32) {
        let term = f64::from(a) * f64::from(b);
        self.sum[at] += term;
        self.scale[at] += term.abs();
    }

    /// Asserts that `found` is within `tolerance`, relative to the sum of absolute terms.
    pub(crate) fn assert_close(&self, found: &[f32], tolerance: f64, what: &str) {
        assert_eq!(self.sum.len(), found.len(), "{what}");
        // Winograd mixes the pixels of a tile, so errors follow the largest terms nearby.
        let scale = self.scale.iter().copied().fold(0.0, f64::max);
        for (at, (expected, found)) in self.sum.iter().zip(found).enumerate() {
            let error = (expected - f64::from(*found)).abs();
            assert!(
                error <= tolerance * scale,
                "{what}: value {at} is {found}, expected {expected}, error {error:e}"
            );
        }
    }
}

/// Calls `visit` with the indices of each product: input, weight, output.
pub(crate) fn products(s: &ConvShape, mut visit: impl FnMut(usize, usize, usize)) {
    for n in 0..s.batch {
        for oh in 0..s.out_height() {
            for ow in 0..s.out_width() {
                for kh in 0..s.kernel {
                    for kw in 0..s.kernel {
                        let (ih, iw) = (oh * s.stride + kh, ow * s.stride + kw);
                        let (Some(ih), Some(iw)) = (
                            ih.checked_sub(s.padding.rows[0]),
                            iw.checked_sub(s.padding.columns[0]),
                        ) else {
                            continue;
                        };
                        if ih >= s.height || iw >= s.width {
                            continue;
                        }
                        let pixel = (n * s.height + ih) * s.width + iw;
                        let target = (n * s.out_height() + oh) * s.out_width() + ow;
                        for co in 0..s.out_channels {
                            for ci in 0..s.in_channels {
                                let weight =
                                    ((co * s.in_channels + ci) * s.kernel + kh) * s.kernel + kw;
                                visit(
                                    pixel * s.in_channels + ci,
                                    weight,
                                    target * s.out_channels + co,
                                );
                            }
                        }
                    }
                }
            }
        }
    }
}

/// The output.
pub(crate) fn forward(s: &ConvShape, x: &[f32], w: &[f32]) -> Reference {
    let mut y = Reference::new(s.output_len());
    products(s, |i, k, o| y.add(o, x[i], w[k]));
    y
}

/// The gradient with respect to the input.
pub(crate) fn backward_input(s: &ConvShape, dy: &[f32], w: &[f32]) -> Reference {
    let mut dx = Reference::new(s.input_len());
    products(s, |i, k, o| dx.add(i, dy[o], w[k]));
    dx
}

/// The gradient with respect to the weights.
pub(crate) fn backward_weight(s: &ConvShape, x: &[f32], dy: &[f32]) -> Reference {
    let mut dw = Reference::new(s.weight_len());
    products(s, |i, k, o| dw.add(k, x[i], dy[o]));
    dw
}
