//! Axes and ticks.

/// The scale of an axis.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scale {
    /// Linear: equal differences have equal distances.
    #[default]
    Linear,
    /// Logarithmic: equal ratios have equal distances. Only positive numbers can be drawn.
    Log,
}

/// A range of numbers on a scale.
pub(super) struct Axis {
    scale: Scale,
    /// Ends of the range, as logarithms on a logarithmic scale.
    low: f64,
    high: f64,
}

impl Axis {
    /// An axis with room for all values that the scale can show. `None` if there is no such value.
    pub(super) fn around(scale: Scale, values: impl Iterator<Item = f64>) -> Option<Self> {
        let places = values.filter_map(|value| place(scale, value));
        let (low, high) = places.fold(None, |ends: Option<(f64, f64)>, value| {
            let (low, high) = ends.unwrap_or((value, value));
            Some((low.min(value), high.max(value)))
        })?;
        // Leave a margin, so that no line lies on the frame. A single value is in the middle.
        let margin = match high > low {
            true => 0.04 * (high - low),
            false => (0.1 * low.abs()).max(if scale == Scale::Log { 0.5 } else { 1e-3 }),
        };
        let (low, high) = (low - margin, high + margin);
        (high - low)
            .is_finite()
            .then_some(Self { scale, low, high })
    }

    /// The position of a value, from 0 to 1. `None` if the scale cannot show it.
    pub(super) fn position(&self, value: f64) -> Option<f64> {
        Some((place(self.scale, value)? - self.low) / (self.high - self.low))
    }

    /// Round values within the range, with labels; about `wanted` of them.
    pub(super) fn ticks(&self, wanted: usize) -> Vec<(f64, String)> {
        let decades = self.high.floor() - self.low.ceil();
        match self.scale {
            Scale::Log if decades >= 1.0 => self.decades(wanted),
            // Too narrow for powers of ten: use round numbers in between, at uneven distances.
            Scale::Log => round_values(10f64.powf(self.low), 10f64.powf(self.high), wanted),
            Scale::Linear => round_values(self.low, self.high, wanted),
        }
    }

    fn decades(&self, wanted: usize) -> Vec<(f64, String)> {
        let (first, last) = (self.low.ceil() as i64, self.high.floor() as i64);
        let step = (last.abs_diff(first) as usize / wanted.max(1) + 1).max(1);
        let exponents = (first..=last).step_by(step);
        exponents
            .map(|e| (10f64.powi(e as i32), format!("1e{e}")))
            .collect()
    }
}

/// The value on the scale, before the layout.
fn place(scale: Scale, value: f64) -> Option<f64> {
    let place = match scale {
        Scale::Linear => value,
        Scale::Log if value > 0.0 => value.log10(),
        Scale::Log => return None,
    };
    place.is_finite().then_some(place)
}

/// Multiples of 1, 2 or 5 times a power of ten.
fn round_values(low: f64, high: f64, wanted: usize) -> Vec<(f64, String)> {
    let rough = (high - low) / wanted.max(1) as f64;
    let power = 10f64.powf(rough.log10().floor());
    // A quarter more ticks than wanted is better than half as many.
    let factor = [1.0, 2.0, 5.0]
        .into_iter()
        .find(|f| f * power >= 0.8 * rough)
        .unwrap_or(10.0);
    let ends = |step: f64| ((low / step).ceil(), (high / step).floor());
    let mut step = factor * power;
    let (mut first, mut last) = ends(step);
    if last - first < 1.0 {
        // One value alone does not tell the scale.
        step = if factor == 5.0 {
            2.0 * power
        } else {
            step / 2.0
        };
        (first, last) = ends(step);
    }
    // At the limit of f64's resolution there may be no round values in between.
    if !(step.is_normal() && last - first <= 10.0 * wanted as f64) {
        return vec![(low, format!("{low:.3e}")), (high, format!("{high:.3e}"))];
    }
    let places = (-step.log10().floor()).max(0.0) as usize;
    let large = low.abs().max(high.abs());
    let label = |value: f64| match value {
        0.0 => "0".to_owned(),
        _ if places > 4 || large >= 1e6 => exponential(value, step),
        _ => format!("{value:.places$}"),
    };
    let count = (last - first) as usize;
    // Adding 0 turns -0 into 0.
    let values = (0..=count).map(|i| (first + i as f64) * step + 0.0);
    values.map(|value| (value, label(value))).collect()
}

/// Formats a value with as many digits as distinguish neighbors at a distance of `step`.
fn exponential(value: f64, step: f64) -> String {
    let digits = (value.abs().log10().floor() - step.log10().floor()).clamp(0.0, 15.0) as usize;
    format!("{value:.digits$e}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_has_two_ticks_even_if_only_three_are_wanted() {
        let axis = Axis::around(Scale::Linear, [0.36, 0.44].into_iter()).expect("finite values");
        assert!(axis.ticks(3).len() >= 2, "{:?}", axis.ticks(3));
    }

    fn labels(scale: Scale, values: [f64; 2]) -> Vec<String> {
        let axis = Axis::around(scale, values.into_iter());
        let ticks = axis.map(|axis| axis.ticks(6)).unwrap_or_default();
        ticks.into_iter().map(|(_, label)| label).collect()
    }

    #[test]
    fn ticks_are_round_numbers_within_the_range() {
        assert_eq!(
            labels(Scale::Linear, [0.0, 1.0]),
            ["0", "0.2", "0.4", "0.6", "0.8", "1.0"]
        );
        assert_eq!(
            labels(Scale::Linear, [0.0, 193.0]),
            ["0", "50", "100", "150", "200"]
        );
        assert_eq!(
            labels(Scale::Linear, [-3.0, 3.0]),
            ["-3", "-2", "-1", "0", "1", "2", "3"]
        );
        assert_eq!(
            labels(Scale::Linear, [0.0, 4e-7]),
            ["0", "1e-7", "2e-7", "3e-7", "4e-7"]
        );
        assert_eq!(
            labels(Scale::Linear, [0.0, 6e6]),
            ["0", "1e6", "2e6", "3e6", "4e6", "5e6", "6e6"]
        );
    }

    #[test]
    fn a_logarithmic_axis_has_powers_of_ten() {
        assert_eq!(
            labels(Scale::Log, [1e-3, 1.0]),
            ["1e-3", "1e-2", "1e-1", "1e0"]
        );
        assert_eq!(
            labels(Scale::Log, [1e-7, 10.0]),
            ["1e-7", "1e-5", "1e-3", "1e-1", "1e1"]
        );
        assert_eq!(
            labels(Scale::Log, [2.0, 4.0]),
            ["2.0", "2.5", "3.0", "3.5", "4.0"]
        );
    }

    #[test]
    fn what_has_no_place_on_a_scale_is_left_out() {
        let axis = Axis::around(Scale::Log, [0.0, -1.0, f64::NAN, 1.0, 100.0].into_iter());
        let axis = axis.as_ref();
        assert_eq!(axis.and_then(|a| a.position(0.0)), None);
        assert_eq!(axis.and_then(|a| a.position(10.0)), Some(0.5));
        assert!(Axis::around(Scale::Linear, [f64::NAN, f64::INFINITY].into_iter()).is_none());
    }

    #[test]
    fn extreme_ranges_have_ticks_too() {
        for values in [
            [0.0, 0.0],
            [1e300, 1.1e300],
            [1e-320, 1e-319],
            [1.0, 1.0 + f64::EPSILON],
        ] {
            assert!(labels(Scale::Linear, values).len() >= 2, "{values:?}");
        }
    }
}
