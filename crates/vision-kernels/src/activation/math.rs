//! Exponentials and the normal distribution for vector code: no branches, no calls.

use crate::isa::Lanes;

/// e^x is 0 below this: the result would not be a normal number.
const LEAST: f32 = -87.33;
/// 1.5 · 2²³: adding it rounds to an integer, which is then in the lowest bits.
const ROUND: f32 = 12_582_912.0;
/// ln 2 in two parts. The first has so few bits that its product with an exponent is exact.
const LN_2: [f32; 2] = [0.693_359_4, -2.121_944_4e-4];
/// `(e^r - 1 - r) / r²` for `|r| <= ln 2 / 2`, with the least relative error of e^r (5e-11).
const EXP: [f32; 6] = [
    0.5,
    1.666_666_6e-1,
    4.166_629_5e-2,
    8.333_497e-3,
    1.394_465_1e-3,
    1.979_035e-4,
];

/// In `t = 1 / (1 + 0.3 x)`: the probability of a normally distributed value above x ≥ 0, divided by `t e^(-x²/2)`. The
/// relative error is 3.4e-9 up to x = 13.3.
const TAIL: [f32; 10] = [
    1.196_864_8e-1,
    1.195_756_1e-1,
    1.102_055_5e-1,
    7.852_185_5e-2,
    9.579_329e-2,
    -7.877_78e-2,
    1.910_421_1e-1,
    -2.276_796e-1,
    1.122_171_3e-1,
    -2.058_465_6e-2,
];

/// The value of a polynomial, given from the constant coefficient on.
#[inline(always)]
fn polynomial<L: Lanes, const N: usize>(coefficients: [f32; N], x: f32) -> f32 {
    let mut sum = coefficients[N - 1];
    for i in (0..N - 1).rev() {
        sum = L::mul_add(sum, x, coefficients[i]);
    }
    sum
}

/// `e^(x + low)` for `x <= 0` and a small `low`.
#[inline(always)]
fn exp_of_sum<L: Lanes>(x: f32, low: f32) -> f32 {
    let shifted = L::mul_add(x, std::f32::consts::LOG2_E, ROUND);
    let n = shifted - ROUND;
    let r = L::mul_add(n, -LN_2[1], L::mul_add(n, -LN_2[0], x)) + low;
    let y = L::mul_add(polynomial::<L, 6>(EXP, r) * r, r, r) + 1.0;
    // 2^n, as an exponent.
    let scaled = y * f32::from_bits(shifted.to_bits().wrapping_add(127) << 23);
    if x < LEAST { 0.0 } else { scaled }
}

/// `e^x` for `x <= 0`, within an ulp; 0 below -87.33.
#[inline(always)]
pub(crate) fn exp<L: Lanes>(x: f32) -> f32 {
    exp_of_sum::<L>(x, 0.0)
}

/// `1 / (1 + e^-x)`.
#[inline(always)]
pub(crate) fn sigmoid<L: Lanes>(x: f32) -> f32 {
    let [s, _] = sigmoids::<L>(x);
    s
}

/// `1 / (1 + e^-x)`, and 1 minus that.
#[inline(always)]
pub(crate) fn sigmoids<L: Lanes>(x: f32) -> [f32; 2] {
    let e = exp::<L>(-x.abs());
    let large = 1.0 / (1.0 + e);
    let small = e * large;
    if x < 0.0 {
        [small, large]
    } else {
        [large, small]
    }
}

/// The distribution function Φ of the normal distribution, and its density.
#[inline(always)]
pub(crate) fn normal<L: Lanes>(x: f32) -> [f32; 2] {
    let a = x.abs();
    // Beyond, both are 0; infinity would become NaN below.
    let a = if a > 14.0 { 14.0 } else { a };
    // The square of the first half of the digits is exact, so that the exponential keeps its digits.
    let high = f32::from_bits(a.to_bits() & 0xffff_f000);
    let e = exp_of_sum::<L>(-0.5 * high * high, -0.5 * (a - high) * (a + high));
    let t = 1.0 / L::mul_add(a, 0.3, 1.0);
    let tail = e * t * polynomial::<L, 10>(TAIL, t);
    let below = if x < 0.0 { tail } else { 1.0 - tail };
    [below, e * 0.398_942_3]
}
