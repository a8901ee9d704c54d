//! Brightness and contrast, on the logits of pixels.
//!
//! fastai computes `sigmoid(factor · logit(p) + offset)`. With the odds `q = (1 - p) / p` this is
//! `1 / (1 + exp(-offset) · q^factor)`: one logarithm and one exponential. Both are polynomials in
//! single precision here, within 5e-7 of the exact value. They give the same bits on every machine, in
//! loops that the compiler vectorizes.

use pulp::Arch;

/// `factor · logit + offset`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Lighting {
    pub(crate) factor: f64,
    pub(crate) offset: f64,
}

impl Default for Lighting {
    /// Changes nothing.
    fn default() -> Self {
        Self {
            factor: 1.0,
            offset: 0.0,
        }
    }
}

impl Lighting {
    /// Applies the change to values in `[0, 1]`.
    pub(crate) fn apply(self, values: &mut [f32]) {
        let factor = self.factor as f32;
        // In powers of two, so that a single exponential is enough.
        let shift = (-self.offset * std::f64::consts::LOG2_E) as f32;
        Arch::new().dispatch(|| {
            for value in values {
                let p = value.clamp(1e-7, 1.0 - 1e-7);
                *value = 1.0 / (1.0 + exp2(factor * log2((1.0 - p) / p) + shift));
            }
        });
    }

    /// The result for each of the 256 values of a byte.
    pub(crate) fn table(self) -> [f32; 256] {
        let mut table = std::array::from_fn(|i| i as f32 / 255.0);
        self.apply(&mut table);
        table
    }
}

/// The binary logarithm of a positive, normal number. The mantissa is brought to
/// `[1/√2, √2)`, where `ln m = 2 artanh((m - 1) / (m + 1))`; five terms of that series have
/// an error below 1e-9.
#[inline(always)]
fn log2(x: f32) -> f32 {
    // The bits of 1/√2. Subtracting them carries into the exponent if the mantissa is above √2.
    const MIDDLE: u32 = 0x3F35_04F3;
    let bits = x.to_bits().wrapping_sub(MIDDLE);
    let exponent = (bits as i32) >> 23;
    let m = f32::from_bits((bits & 0x007F_FFFF).wrapping_add(MIDDLE));
    let s = (m - 1.0) / (m + 1.0);
    let z = s * s;
    let series = 1.0 + z * (1.0 / 3.0 + z * (1.0 / 5.0 + z * (1.0 / 7.0 + z * (1.0 / 9.0))));
    exponent as f32 + (2.0 * std::f32::consts::LOG2_E) * s * series
}

/// Two to the power of a number, which is clamped to ±120. The fraction, within ±1/2, is computed with
/// the series of `exp`, truncated with an error below 6e-9.
#[inline(always)]
fn exp2(x: f32) -> f32 {
    // Adding and subtracting it rounds to an integer, which is in the low bits of the sum.
    const ROUND: f32 = 12_582_912.0;
    let x = x.clamp(-120.0, 120.0);
    let rounded = x + ROUND;
    let power = f32::from_bits(rounded.to_bits().wrapping_shl(23).wrapping_add(127 << 23));
    let t = (x - (rounded - ROUND)) * std::f32::consts::LN_2;
    let series = t / 7.0 + 1.0;
    let series = t / 6.0 * series + 1.0;
    let series = t / 5.0 * series + 1.0;
    let series = t / 4.0 * series + 1.0;
    let series = t / 3.0 * series + 1.0;
    let series = t / 2.0 * series + 1.0;
    power * (t * series + 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exact(p: f32, lighting: Lighting) -> f64 {
        let p = f64::from(p.clamp(1e-7, 1.0 - 1e-7));
        let logit = -(1.0 / p - 1.0).ln();
        1.0 / (1.0 + (-(lighting.factor * logit + lighting.offset)).exp())
    }

    #[test]
    fn values_are_within_5e_7_of_the_formula_in_double_precision() {
        let mut worst = 0.0_f64;
        for factor in [0.001, 0.5, 0.8, 1.0, 1.25, 2.0, 1000.0] {
            for offset in [-14.0, -0.405_465_1, 0.0, 0.405_465_1, 14.0] {
                let lighting = Lighting { factor, offset };
                let before: Vec<f32> = (0..=10_000).map(|i| i as f32 / 10_000.0).collect();
                let mut after = before.clone();
                lighting.apply(&mut after);
                for (&p, &found) in before.iter().zip(&after) {
                    // A factor of 1000 also magnifies the rounding error of the logit.
                    let scale = factor.max(1.0);
                    worst = worst.max((f64::from(found) - exact(p, lighting)).abs() / scale);
                }
            }
        }
        assert!(worst < 5e-7, "{worst:e}");
    }

    #[test]
    fn a_quarter_becomes_what_fastais_reference_says() {
        // fastai's formulas: 0.25 with a change of 0.6 is 1/3, with a contrast of 1.25 it is 0.202093.
        let change = |factor, offset| {
            let mut values = [0.25];
            Lighting { factor, offset }.apply(&mut values);
            values[0]
        };
        assert!((change(1.0, 1.5_f64.ln()) - 1.0 / 3.0).abs() < 1e-6);
        assert!((change(1.25, 0.0) - 0.202_093).abs() < 1e-6);
    }

    #[test]
    fn the_table_of_bytes_holds_what_floats_become() {
        let lighting = Lighting {
            factor: 1.2,
            offset: -0.3,
        };
        let mut floats: Vec<f32> = (0..=255_u8).map(|b| f32::from(b) / 255.0).collect();
        lighting.apply(&mut floats);
        assert_eq!(lighting.table().to_vec(), floats);
    }

    #[test]
    fn extremes_stay_within_zero_and_one() {
        let lighting = Lighting {
            factor: 1000.0,
            offset: 13.0,
        };
        let mut values = [-1.0, 0.0, 1e-30, 0.5, 1.0, 2.0, f32::INFINITY];
        lighting.apply(&mut values);
        assert!(values.iter().all(|v| (0.0..=1.0).contains(v)), "{values:?}");
    }
}
