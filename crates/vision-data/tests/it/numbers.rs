//! What the tests of images and transforms share.

/// The largest difference of two lists of numbers of one length; NaN, which no limit lets through, if one of
/// the numbers is NaN.
pub(crate) fn largest_difference(found: &[f32], expected: &[f64]) -> f64 {
    assert_eq!(found.len(), expected.len(), "length");
    let pairs = found.iter().zip(expected);
    let differences = pairs.map(|(a, b)| (f64::from(*a) - b).abs());
    // `f64::max` would drop NaN.
    differences.fold(
        0.0,
        |most, d| if most.is_nan() || most > d { most } else { d },
    )
}

#[test]
fn nan_is_no_small_difference() {
    assert_eq!(largest_difference(&[1.0, 2.0], &[1.5, 2.25]), 0.5);
    for found in [[f32::NAN, 2.0], [1.0, f32::NAN]] {
        assert!(largest_difference(&found, &[1.0, 9.0]).is_nan());
    }
}
