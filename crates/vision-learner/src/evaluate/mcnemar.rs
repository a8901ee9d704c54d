//! McNemar's test of two classifiers on the same items.

use libm::erfc;

use crate::Result;
use crate::evaluate::labeled;
use crate::predict::predictions::Predictions;

/// From this many items on that only one of two classifiers gets right, the chi-square distribution is close enough.
const EXACT_BELOW: u64 = 25;

/// The result of [`mcnemar`].
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct McNemar {
    /// Number of items that only the first classifier gets right.
    pub only_a: u64,
    /// Number of items that only the second one gets right.
    pub only_b: u64,
    /// The smaller of the two numbers if the test is exact, otherwise chi-square with continuity correction.
    pub statistic: f64,
    /// The probability of a difference this large or larger between two classifiers that are equally good.
    pub p_value: f64,
    /// Whether the binomial distribution was used.
    pub exact: bool,
}

/// McNemar's test (1947): whether two classifiers differ in accuracy, judged by the items that only one of them gets right.
///
/// With fewer than 25 such items it is the exact two-sided binomial test, otherwise the chi-square test with continuity
/// correction; the numbers are those of `mcnemar` of statsmodels. It compares two trained models, not two ways of training:
/// another seed may give another result.
///
/// # Errors
///
/// [`Error::Option`](crate::Error::Option) unless both are predictions for the same items, with labels;
/// [`LabelError::WrongKind`](vision_data::LabelError::WrongKind) if items do not have one class each.
pub fn mcnemar(a: &Predictions, b: &Predictions) -> Result<McNemar> {
    let pairs = labeled::pairs(a, b)?;
    let count = |wanted| pairs.iter().filter(|pair| **pair == wanted).count() as u64;
    Ok(McNemar::from_counts(
        count((true, false)),
        count((false, true)),
    ))
}

impl McNemar {
    /// The test for the numbers of items that only one of two classifiers gets right.
    ///
    /// ```
    /// use vision_learner::McNemar;
    /// let test = McNemar::from_counts(10, 2);
    /// assert!(test.exact && (test.p_value - 158.0 / 4096.0).abs() < 1e-12);
    /// ```
    pub fn from_counts(only_a: u64, only_b: u64) -> Self {
        let (few, all) = (only_a.min(only_b), only_a.saturating_add(only_b));
        let exact = all < EXACT_BELOW;
        let (statistic, p_value) = if exact {
            (few as f64, (2.0 * at_most(few, all)).min(1.0))
        } else {
            let difference = only_a.abs_diff(only_b) as f64 - 1.0;
            let chi_square = difference * difference / all as f64;
            // The upper tail of chi-square with one degree of freedom.
            (chi_square, erfc((chi_square / 2.0).sqrt()))
        };
        Self {
            only_a,
            only_b,
            statistic,
            p_value,
            exact,
        }
    }
}

/// The probability of at most `few` heads in `all` throws of a coin; `all` is below [`EXACT_BELOW`].
fn at_most(few: u64, all: u64) -> f64 {
    let (mut ways, mut sum) = (1_u64, 0_u64);
    for heads in 0..=few {
        sum += ways;
        ways = ways * (all - heads) / (heads + 1);
    }
    sum as f64 / (1_u64 << all) as f64
}
