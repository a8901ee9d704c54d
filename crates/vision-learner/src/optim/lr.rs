//! Learning rates: one number, or one per layer group.

use std::fmt;

use std::ops::{Range, RangeTo};

use vision_base::OptionError;

use crate::{Error, Result};

/// The learning rate of each layer group, in one of fastai's forms.
///
/// | written as | with three groups |
/// |---|---|
/// | `1e-3` | 1e-3, 1e-3, 1e-3 |
/// | `slice(..1e-3)` | 1e-4, 1e-4, 1e-3: the last group full, the others a tenth |
/// | `slice(1e-5..1e-3)` | 1e-5, 1e-4, 1e-3: evenly spaced on a logarithmic scale |
/// | `[1e-5, 1e-4, 1e-3]` | as given |
/// | `layer_decay(1e-3, 0.5)` | 2.5e-4, 5e-4, 1e-3: each half of the next |
///
/// ```
/// use vision_learner::{LearningRate, slice};
/// let lr = LearningRate::from(slice(1e-5..1e-3)).per_group(3)?;
/// assert!((lr[1] - 1e-4).abs() < 1e-18);
/// # Ok::<(), vision_learner::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub enum LearningRate {
    /// The same rate for every group.
    Same(f64),
    /// The last group gets this rate, the other groups a tenth of it.
    UpTo(f64),
    /// From the first group's rate to the last group's, evenly spaced on a logarithmic scale.
    Between(f64, f64),
    /// One rate per group. A list of one rate applies to all groups.
    Each(Vec<f64>),
    /// The last group's rate, and what each group's rate is multiplied by for the group before it: layer-wise decay. The
    /// more layer groups there are, the finer it is: see [`LearnerBuilder::split_children`](crate::LearnerBuilder::split_children).
    Decayed(f64, f64),
}

impl LearningRate {
    /// The learning rate of each of `groups` layer groups. With a single group, a slice gives its end.
    ///
    /// # Errors
    ///
    /// [`Error::Option`] if a list has neither one entry nor one per group, if a rate is not a finite
    /// positive number, or for more than a million groups.
    #[doc(alias = "lr_range")]
    pub fn per_group(&self, groups: usize) -> Result<Vec<f64>> {
        check_groups(groups)?;
        let rates = match self {
            Self::Same(lr) => vec![*lr; groups],
            Self::UpTo(end) => {
                let mut rates = vec![*end / 10.0; groups];
                if let Some(last) = rates.last_mut() {
                    *last = *end;
                }
                rates
            }
            Self::Between(start, end) => even_mults(*start, *end, groups),
            Self::Each(rates) => listify("learning rates", rates, groups)?,
            Self::Decayed(last, factor) => {
                if !(*factor > 0.0 && *factor <= 1.0) {
                    let expected = "a number above 0 and at most 1";
                    return Err(
                        OptionError::new("layer_decay", expected, factor.to_string()).into(),
                    );
                }
                let above = (0..groups).rev();
                above
                    .map(|above| last * factor.powf(above as f64))
                    .collect()
            }
        };
        match rates.iter().find(|lr| !(lr.is_finite() && **lr > 0.0)) {
            Some(bad) => Err(Error::Option(OptionError::new(
                "learning rate",
                "a finite number above 0",
                bad.to_string(),
            ))),
            None => Ok(rates),
        }
    }
}

impl Default for LearningRate {
    /// fastai's default, `slice(..3e-3)`.
    fn default() -> Self {
        Self::UpTo(3e-3)
    }
}

/// A learning rate that differs between layer groups: `slice(..last)` or `slice(first..last)`.
#[doc(alias = "even_mults")]
pub fn slice(range: impl Into<LearningRate>) -> LearningRate {
    range.into()
}

/// Layer-wise decay: `last` for the last layer group, and for each group before it the rate of the next one times
/// `factor`, such as 0.75 (Bao et al. 2021, <https://arxiv.org/abs/2106.08254>; timm's `--layer-decay`).
///
/// ```
/// use vision_learner::layer_decay;
/// assert_eq!(layer_decay(1e-3, 0.5).per_group(3)?, [2.5e-4, 5e-4, 1e-3]);
/// # Ok::<(), vision_learner::Error>(())
/// ```
pub fn layer_decay(last: f64, factor: f64) -> LearningRate {
    LearningRate::Decayed(last, factor)
}

impl From<f64> for LearningRate {
    fn from(lr: f64) -> Self {
        Self::Same(lr)
    }
}

impl From<RangeTo<f64>> for LearningRate {
    fn from(range: RangeTo<f64>) -> Self {
        Self::UpTo(range.end)
    }
}

impl From<Range<f64>> for LearningRate {
    fn from(range: Range<f64>) -> Self {
        // As in fastai, a start of zero counts as no start.
        if range.start == 0.0 {
            Self::UpTo(range.end)
        } else {
            Self::Between(range.start, range.end)
        }
    }
}

impl<const N: usize> From<[f64; N]> for LearningRate {
    fn from(rates: [f64; N]) -> Self {
        Self::Each(rates.to_vec())
    }
}

impl From<Vec<f64>> for LearningRate {
    fn from(rates: Vec<f64>) -> Self {
        Self::Each(rates)
    }
}

/// The weight decay of each layer group: one number for all, or one per group.
#[derive(Clone, Debug, PartialEq)]
pub struct WeightDecay(Vec<f64>);

impl WeightDecay {
    /// The decay of each of `groups` layer groups.
    ///
    /// # Errors
    ///
    /// As [`LearningRate::per_group`]; a decay may be 0.
    pub fn per_group(&self, groups: usize) -> Result<Vec<f64>> {
        check_groups(groups)?;
        let decays = listify("weight decays", &self.0, groups)?;
        match decays.iter().find(|wd| !(wd.is_finite() && **wd >= 0.0)) {
            Some(bad) => Err(Error::Option(OptionError::new(
                "weight decay",
                "a finite number, 0 or above",
                bad.to_string(),
            ))),
            None => Ok(decays),
        }
    }
}

impl From<f64> for WeightDecay {
    fn from(wd: f64) -> Self {
        Self(vec![wd])
    }
}

impl<const N: usize> From<[f64; N]> for WeightDecay {
    fn from(wds: [f64; N]) -> Self {
        Self(wds.to_vec())
    }
}

/// One number, or those of the layer groups: `0.01`, `0.01, 0.1`.
impl fmt::Display for WeightDecay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (group, decay) in self.0.iter().enumerate() {
            write!(f, "{}{decay}", if group == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

/// No model has as many layer groups.
const MOST_GROUPS: usize = 1_000_000;

fn check_groups(groups: usize) -> Result<()> {
    if groups > MOST_GROUPS {
        return Err(OptionError::new("groups", "at most a million layer groups", groups).into());
    }
    Ok(())
}

/// `n` values from `start` to `stop`, evenly spaced on a logarithmic scale; only `stop` if `n` is 1.
fn even_mults(start: f64, stop: f64, n: usize) -> Vec<f64> {
    if n <= 1 {
        return vec![stop; n];
    }
    let ratio = stop / start;
    (0..n)
        .map(|i| start * ratio.powf(i as f64 / (n - 1) as f64))
        .collect()
}

fn listify(field: &'static str, values: &[f64], groups: usize) -> Result<Vec<f64>> {
    match values {
        [one] => Ok(vec![*one; groups]),
        _ if values.len() == groups => Ok(values.to_vec()),
        _ => Err(Error::Option(OptionError::new(
            field,
            format!("one value or exactly {groups}"),
            format!("{} values", values.len()),
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(a: &[f64], b: &[f64]) {
        assert_eq!(a.len(), b.len());
        for (a, b) in a.iter().zip(b) {
            assert!((a - b).abs() <= 1e-12 * b.abs(), "{a} is not {b}");
        }
    }

    #[test]
    fn every_form_of_a_learning_rate_gives_fastais_list() {
        let of = |lr: LearningRate| lr.per_group(3).unwrap();
        close(&of(slice(1e-5..1e-3)), &[1e-5, 1e-4, 1e-3]);
        close(&of(slice(..1e-3)), &[1e-4, 1e-4, 1e-3]);
        close(&of(slice(0.0..1e-3)), &[1e-4, 1e-4, 1e-3]);
        close(&of(0.01.into()), &[0.01, 0.01, 0.01]);
        close(&of([1.0, 2.0, 3.0].into()), &[1.0, 2.0, 3.0]);
        close(&of([0.5].into()), &[0.5, 0.5, 0.5]);
        close(&even_mults(1.0, 8.0, 4), &[1.0, 2.0, 4.0, 8.0]);
    }

    #[test]
    fn a_slice_over_a_single_group_is_its_end() {
        close(&slice(1e-5..1e-3).per_group(1).unwrap(), &[1e-3]);
        close(&slice(..1e-3).per_group(1).unwrap(), &[1e-3]);
    }

    #[test]
    fn a_list_of_the_wrong_length_is_an_error_with_both_lengths() {
        let error = LearningRate::from([1e-4, 1e-3]).per_group(3).unwrap_err();
        assert!(matches!(error, Error::Option(OptionError { .. })));
        assert!(LearningRate::from(Vec::new()).per_group(3).is_err());
    }

    #[test]
    fn a_rate_that_cannot_train_is_an_error() {
        for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(LearningRate::from(bad).per_group(2).is_err(), "{bad}");
        }
        assert!(WeightDecay::from(-0.1).per_group(2).is_err());
        assert_eq!(WeightDecay::from(0.0).per_group(2).unwrap(), [0.0, 0.0]);
    }
}
