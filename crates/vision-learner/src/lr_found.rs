//! What the learning-rate finder found.

use std::fmt;

use serde::Serialize;

/// The result of the learning-rate finder: rates and losses, one entry per batch.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct LrFind {
    /// Learning rate of every layer group.
    pub lrs: Vec<f64>,
    /// Smoothed loss, used to stop the run and to suggest a rate.
    pub losses: Vec<f64>,
    /// Unsmoothed loss.
    pub raw_losses: Vec<f64>,
    /// Momentum.
    pub moms: Vec<f64>,
}

/// Suggested learning rates. Which one works best varies between data sets, so look at the plot too. To
/// train without looking, use the valley: one noisy batch can move the other two by orders of magnitude.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LrSuggestion {
    /// Where the loss falls most steeply: fastai v1's `min_grad_lr`.
    pub steepest: f64,
    /// A third and a half of a third into the longest stretch in which the loss falls: fastai
    /// 2's `valley`. fastai 2 skips the first tenth of the requested batches instead of the first 10.
    pub valley: f64,
    /// A tenth of the rate with the lowest loss.
    pub minimum: f64,
}

impl fmt::Display for LrSuggestion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "steepest {:.2e}, valley {:.2e}, a tenth of the rate of the lowest loss {:.2e}",
            self.steepest, self.valley, self.minimum
        )
    }
}

impl LrFind {
    /// The rates and smoothed losses used for suggestions: without the first 10 and the last 5, which
    /// are uninformative. A run of fewer than 30 batches drops the first third and the last sixth
    /// instead.
    pub fn window(&self) -> (&[f64], &[f64]) {
        let len = self.lrs.len().min(self.losses.len());
        let part = 10.min(len / 3)..len - 5.min(len / 6);
        (&self.lrs[part.clone()], &self.losses[part])
    }

    /// Suggested rates, from the [`window`](Self::window). `None` if it has fewer than three batches.
    #[doc(alias = "min_grad_lr")]
    pub fn suggestion(&self) -> Option<LrSuggestion> {
        let (lrs, losses) = self.window();
        if lrs.len() < 3 {
            return None;
        }
        let last = losses.len() - 1;
        // numpy's `gradient`: central differences, one-sided at the ends.
        let slope = |i: usize| match i {
            0 => losses[1] - losses[0],
            i if i == last => losses[last] - losses[last - 1],
            i => (losses[i + 1] - losses[i - 1]) / 2.0,
        };
        let least = |value: &dyn Fn(usize) -> f64| {
            let lower = |best: usize, i: usize| if value(i) < value(best) { i } else { best };
            (1..=last).fold(0, lower)
        };
        Some(LrSuggestion {
            steepest: lrs[least(&slope)],
            valley: lrs[valley(losses)],
            minimum: lrs[least(&|i| losses[i])] / 10.0,
        })
    }
}

/// The index that fastai 2's `valley` picks in the longest falling subsequence.
fn valley(losses: &[f64]) -> usize {
    let mut lengths = vec![1; losses.len()];
    let mut end = 0;
    for i in 1..losses.len() {
        let before = (0..i).filter(|&j| losses[i] < losses[j]);
        lengths[i] = 1 + before.map(|j| lengths[j]).max().unwrap_or(0);
        if lengths[i] > lengths[end] {
            end = i;
        }
    }
    // fastai counts from one before the first element of the subsequence.
    let section = lengths[end] as f64 / 3.0;
    (end + section as usize + (section / 2.0) as usize).saturating_sub(lengths[end])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(losses: &[f64]) -> LrFind {
        let lrs = (0..losses.len()).map(|i| 1e-7 * 10_f64.powf(0.08 * i as f64));
        LrFind {
            lrs: lrs.collect(),
            losses: losses.to_vec(),
            raw_losses: losses.to_vec(),
            moms: vec![0.9; losses.len()],
        }
    }

    // Loss of batch i: 2 - 1.5 / (1 + exp(-(i - 60) / 5)) + 0.02 (i - 85)² beyond 85.
    fn curve(len: usize) -> Vec<f64> {
        let loss = |i: f64| {
            let rises = (i - 85.0).max(0.0);
            2.0 - 1.5 / (1.0 + (-(i - 60.0) / 5.0).exp()) + 0.02 * rises * rises
        };
        (0..len).map(|i| loss(i as f64)).collect()
    }

    #[test]
    fn suggestions_are_those_of_fastais_rules() {
        let found = found(&curve(100));
        assert_eq!(found.window(), (&found.lrs[10..95], &found.losses[10..95]));
        let suggestion = found.suggestion().unwrap();
        // scripts/make_lr_find_numbers.py: numpy's gradient for the first, fastai 2.8.12's `valley`.
        assert_eq!(suggestion.steepest, found.lrs[10 + 50]);
        assert_eq!(suggestion.valley, found.lrs[10 + 36]);
        assert_eq!(suggestion.minimum, found.lrs[10 + 75] / 10.0);
    }

    #[test]
    fn the_valley_is_fastais_on_jagged_losses_too() {
        for (k, expected) in [32, 31, 25, 31, 33].into_iter().enumerate() {
            let loss = |i: usize| ((i * 37 + k * 53 + i * i * 11) % 101) as f64 / 20.0;
            let losses: Vec<f64> = (0..40).map(|i| loss(i) - 0.05 * i as f64).collect();
            assert_eq!(valley(&losses), expected, "{k}");
        }
        assert_eq!((valley(&[1.0, 2.0, 3.0]), valley(&[3.0, 2.0, 1.0])), (0, 0));
    }

    #[test]
    fn a_short_run_is_cut_less_and_a_very_short_one_suggests_nothing() {
        let lengths = |n: usize| found(&curve(n)).window().0.len();
        // Without a third and a sixth: 12 - 4 - 2. From 30 batches on, without 10 and 5.
        assert_eq!([12, 29, 30, 31].map(lengths), [6, 16, 15, 16]);
        for n in 0..30 {
            let some = found(&curve(n)).suggestion();
            assert_eq!(some.is_some(), lengths(n) >= 3, "{n}");
        }
    }
}
