//! Ranges of random numbers.

use std::fmt;
use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use crate::rng::Rng;

/// The inclusive range of a random number. A single number means a fixed value.
///
/// Serialized as a list of two numbers.
///
/// ```
/// use vision_data::Bounds;
///
/// let range: Bounds = (-10.0..=10.0).into();
/// assert_eq!(range, Bounds::from([-10.0, 10.0]));
/// assert_eq!(Bounds::from(3), Bounds::from(3..=3));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bounds<T = f64>([T; 2]);

impl<T: Copy + PartialOrd> Bounds<T> {
    /// The smallest number.
    pub fn low(&self) -> T {
        self.0[0]
    }

    /// The largest number.
    pub fn high(&self) -> T {
        self.0[1]
    }

    /// Whether the bounds are in order and within other bounds. `false` for NaN.
    pub(crate) fn within(&self, low: T, high: T) -> bool {
        low <= self.low() && self.low() <= self.high() && self.high() <= high
    }
}

impl Bounds {
    pub(crate) const PART: Self = Self([0.0, 1.0]);
    pub(crate) const MIDDLE: Self = Self([0.5, 0.5]);

    /// Draws uniformly.
    pub(crate) fn draw(&self, rng: &mut Rng) -> f64 {
        rng.between(self.low(), self.high())
    }

    /// Draws with a uniform logarithm.
    pub(crate) fn draw_log(&self, rng: &mut Rng) -> f64 {
        rng.between(self.low().ln(), self.high().ln()).exp()
    }
}

impl Bounds<u32> {
    /// Draws uniformly.
    pub(crate) fn draw(&self, rng: &mut Rng) -> u32 {
        let numbers = self.high().saturating_sub(self.low()) as usize + 1;
        self.low() + rng.below(numbers) as u32
    }
}

/// Conversions from a number, a pair and `low..=high`. (`from..` has no upper bound.)
macro_rules! bounds_from {
    ($($number:ty),*) => {$(
        impl From<$number> for Bounds<$number> {
            fn from(number: $number) -> Self {
                Self([number; 2])
            }
        }

        impl From<[$number; 2]> for Bounds<$number> {
            fn from(bounds: [$number; 2]) -> Self {
                Self(bounds)
            }
        }

        impl From<($number, $number)> for Bounds<$number> {
            fn from((low, high): ($number, $number)) -> Self {
                Self([low, high])
            }
        }

        impl From<RangeInclusive<$number>> for Bounds<$number> {
            fn from(range: RangeInclusive<$number>) -> Self {
                let (low, high) = range.into_inner();
                Self([low, high])
            }
        }
    )*};
}

bounds_from!(f64, u32);

impl<T: fmt::Debug> fmt::Debug for Bounds<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}
