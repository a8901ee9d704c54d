//! Student's t distribution with a whole number of degrees of freedom.
//!
//! For whole numbers its distribution function is a finite sum (Abramowitz and Stegun 1964, 26.7.3 and 26.7.4), so that no
//! incomplete beta function is needed.

use std::f64::consts::{FRAC_2_PI, FRAC_PI_2};

/// The probability that |t| is at most `√freedom · tan angle`.
fn within(angle: f64, freedom: u32) -> f64 {
    let (sine, cosine) = angle.sin_cos();
    let squared = cosine * cosine;
    let odd = freedom % 2 == 1;
    // cos θ + 2/3 cos³ θ + (2·4)/(3·5) cos⁵ θ + .., or 1 + 1/2 cos² θ + (1·3)/(2·4) cos⁴ θ + ..
    let (mut term, mut sum) = (if odd { cosine } else { 1.0 }, 0.0);
    let mut factor = if odd { 2.0 } else { 1.0 };
    for _ in 0..freedom / 2 {
        sum += term;
        term *= squared * factor / (factor + 1.0);
        factor += 2.0;
    }
    match odd {
        true => FRAC_2_PI * (angle + sine * sum),
        false => sine * sum,
    }
}

/// The t that |t| exceeds with a probability of 5 %; infinite without a degree of freedom.
pub(super) fn quantile_95(freedom: u32) -> f64 {
    if freedom == 0 {
        return f64::INFINITY;
    }
    let (mut low, mut high) = (0.0, FRAC_PI_2);
    // Each step halves the distance, up to the precision of an f64.
    for _ in 0..64 {
        let middle = (low + high) / 2.0;
        if within(middle, freedom) < 0.95 {
            low = middle;
        } else {
            high = middle;
        }
    }
    f64::from(freedom).sqrt() * low.tan()
}

#[cfg(test)]
mod tests {
    use super::*;

    // scipy.stats.t.ppf(0.975, n).
    #[test]
    fn quantiles_are_those_of_scipy() {
        for (freedom, expected) in [
            (1, 12.706_204_736_174_694),
            (2, 4.302_652_729_749_462),
            (3, 3.182_446_305_283_708),
            (4, 2.776_445_105_197_793),
            (9, 2.262_157_162_798_205),
            (10, 2.228_138_851_986_274),
            (99, 1.984_216_951_586_417),
            (1000, 1.962_339_080_826_408),
        ] {
            let found = quantile_95(freedom);
            assert!(
                (found - expected).abs() < 1e-9 * expected,
                "{freedom}: {found}, {expected}"
            );
        }
        assert_eq!(quantile_95(0), f64::INFINITY);
    }
}
