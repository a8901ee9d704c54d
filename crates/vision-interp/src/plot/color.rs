//! Color maps.

use vision_figure::Rgb;

/// ColorBrewer's nine-class Blues, the anchors of matplotlib's map of that name.
const BLUES: [Rgb; 9] = [
    [247, 251, 255],
    [222, 235, 247],
    [198, 219, 239],
    [158, 202, 225],
    [107, 174, 214],
    [66, 146, 198],
    [33, 113, 181],
    [8, 81, 156],
    [8, 48, 107],
];

/// Light to dark blue for 0 to 1.
pub(super) fn blues(value: f64) -> Rgb {
    let at = value.clamp(0.0, 1.0) * (BLUES.len() - 1) as f64;
    let below = (at as usize).min(BLUES.len() - 2);
    let part = at - below as f64;
    let (low, high) = (BLUES[below], BLUES[below + 1]);
    std::array::from_fn(|channel| {
        let (low, high) = (f64::from(low[channel]), f64::from(high[channel]));
        (low + (high - low) * part).round() as u8
    })
}

/// Colors of the lines of a chart, in order: matplotlib's default cycle.
pub(super) const CYCLE: [Rgb; 10] = [
    [0x1f, 0x77, 0xb4],
    [0xff, 0x7f, 0x0e],
    [0x2c, 0xa0, 0x2c],
    [0xd6, 0x27, 0x28],
    [0x94, 0x67, 0xbd],
    [0x8c, 0x56, 0x4b],
    [0xe3, 0x77, 0xc2],
    [0x7f, 0x7f, 0x7f],
    [0xbc, 0xbd, 0x22],
    [0x17, 0xbe, 0xcf],
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blues_are_those_of_matplotlib() {
        // matplotlib.colormaps["Blues"](v)[:3] * 255. Its table has 256 steps, hence the tolerance.
        for (value, expected) in [
            (0.0, [247, 251, 255]),
            (0.1, [227, 238, 249]),
            (0.5, [106, 174, 214]),
            (0.8, [24, 100, 170]),
            (1.0, [8, 48, 107]),
        ] {
            for (ours, theirs) in blues(value).iter().zip(expected) {
                assert!(
                    ours.abs_diff(theirs) <= 2,
                    "{value}: {:?}, {expected:?}",
                    blues(value)
                );
            }
        }
    }

    #[test]
    fn values_out_of_range_take_the_ends() {
        assert_eq!(blues(-1.0), blues(0.0));
        assert_eq!(blues(f64::INFINITY), blues(1.0));
    }
}
