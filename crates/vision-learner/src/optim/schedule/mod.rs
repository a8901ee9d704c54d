//! Hyper-parameter schedules over the steps of a fit.
//!
//! A [`Schedule`] gives every layer group [`Phase`]s of its learning rate, momentum and weight decay: [`OneCycle`],
//! [`FlatCos`], [`Cosine`], [`Phases`] of any kind, or one of your own.
//!
//! Source of the annealing formulas: fastai v1's `callback.py`.

mod cosine;
mod flat_cos;
mod one_cycle;
mod phases;

use std::f64::consts::PI;
use std::fmt::Debug;

use crate::Result;
use crate::optim::Hyper;

pub use cosine::Cosine;
pub use flat_cos::FlatCos;
pub use one_cycle::OneCycle;
pub use phases::{FitPhase, Length, Phases};

/// How a value changes from one number to another.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Annealing {
    /// Constant at the start value.
    No,
    /// Linear.
    Linear,
    /// Exponential: start·(end/start)^p.
    Exponential,
    /// Half a cosine: end + (start − end)/2·(cos(πp) + 1).
    Cosine,
    /// Polynomial: end + (start − end)·(1 − p)^degree.
    Polynomial(f64),
}

impl Annealing {
    /// The value at `p` in [0, 1].
    pub fn at(self, start: f64, end: f64, p: f64) -> f64 {
        // Exact, without rounding: the peak of a cycle is the requested rate.
        if p <= 0.0 {
            return start;
        }
        match self {
            Self::No => start,
            Self::Linear => start + p * (end - start),
            Self::Exponential => start * (end / start).powf(p),
            Self::Cosine => end + (start - end) / 2.0 * ((PI * p).cos() + 1.0),
            Self::Polynomial(degree) => end + (start - end) * (1.0 - p).powf(degree),
        }
    }
}

/// A part of training over which a value anneals.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Phase {
    /// Length in steps, which may end between two of them. A phase without length is left out.
    pub steps: f64,
    /// Value at the start.
    pub start: f64,
    /// Value after the last step.
    pub end: f64,
    /// The curve between them.
    pub annealing: Annealing,
}

impl Phase {
    /// The value after the last step.
    pub(crate) fn last(&self) -> f64 {
        match self.annealing {
            Annealing::No => self.start,
            _ => self.end,
        }
    }
}

/// The value at step `step` of consecutive phases, or `None` beyond their end.
///
/// Step 0 uses the start of the first phase. The end of the last phase is reached only after the last
/// step, so no batch trains with it.
pub fn at_step(phases: &[Phase], step: usize) -> Option<f64> {
    let step = step as f64;
    let mut first = 0.0;
    for phase in phases.iter().filter(|phase| phase.steps > 0.0) {
        if step < first + phase.steps {
            let p = (step - first) / phase.steps;
            return Some(phase.annealing.at(phase.start, phase.end, p));
        }
        first += phase.steps;
    }
    None
}

/// The length of a fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Number of steps in all.
    pub steps: usize,
    /// Number of steps in an epoch.
    pub batches: usize,
}

/// The phases of a layer group. Hyper-parameters without phases keep their value.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GroupPhases {
    /// Of the learning rate.
    pub lr: Vec<Phase>,
    /// Of the momentum (Adam's beta1).
    pub mom: Vec<Phase>,
    /// Of the weight decay.
    pub wd: Vec<Phase>,
}

/// How learning rate, momentum and weight decay change over the steps of a fit.
///
/// ```
/// use vision_learner::schedule::{Annealing, GroupPhases, Phase, Schedule, Span};
/// use vision_learner::{FitConfig, Hyper, Result};
///
/// /// The learning rate falls to 0 in a straight line.
/// #[derive(Debug)]
/// struct Falling;
///
/// impl Schedule for Falling {
///     fn phases(&self, groups: &[Hyper], span: Span) -> Result<Vec<GroupPhases>> {
///         let line = |start| Phase { steps: span.steps as f64, start, end: 0.0, annealing: Annealing::Linear };
///         let phases = |group: &Hyper| GroupPhases { lr: vec![line(group.lr)], ..GroupPhases::default() };
///         Ok(groups.iter().map(phases).collect())
///     }
/// }
///
/// let config = FitConfig::new(5).with_lr(1e-3).with_schedule(Falling);
/// ```
pub trait Schedule: Debug + Send + Sync {
    /// The phases of each layer group, given the learning rates and weight decays of the fit, and the current
    /// momentum. After the last phase a value stays as it is.
    ///
    /// # Errors
    ///
    /// [`Error::Option`](crate::Error::Option) for settings that are invalid.
    fn phases(&self, groups: &[Hyper], span: Span) -> Result<Vec<GroupPhases>>;
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sequence(phases: &[Phase], n: usize) -> Vec<f64> {
        (0..n).map_while(|i| at_step(phases, i)).collect()
    }

    fn close(a: &[f64], b: &[f64], tolerance: f64) {
        assert_eq!(a.len(), b.len());
        for (a, b) in a.iter().zip(b) {
            assert!((a - b).abs() <= tolerance * b.abs(), "{a} is not {b}");
        }
    }

    // Values computed with the code of fastai 1.0.61's callbacks/one_cycle.py.
    #[test]
    fn one_cycle_over_ten_batches_gives_fastais_numbers() {
        let cycle = OneCycle::default();
        let lr = [
            4.0e-5,
            2.8e-4,
            7.6e-4,
            1.0e-3,
            9.504846320e-4,
            8.117456539e-4,
            6.112620219e-4,
            3.887419781e-4,
            1.882583461e-4,
            4.951936799e-5,
        ];
        close(&sequence(&cycle.lr_phases(1e-3, 10), 10), &lr, 1e-9);
        let mom = [
            0.95, 0.925, 0.875, 0.85, 0.854952, 0.868826, 0.888874, 0.911126, 0.931174, 0.945048,
        ];
        close(&sequence(&cycle.mom_phases(10), 10), &mom, 1e-6);
        let last = cycle.lr_phases(1e-3, 10)[1];
        assert!((last.end - 4e-9).abs() < 1e-18);
    }

    #[test]
    fn one_cycle_over_very_few_batches_clamps_a_phase_to_one_step() {
        let cycle = OneCycle::default();
        close(&sequence(&cycle.lr_phases(1e-3, 2), 2), &[4e-5, 1e-3], 1e-9);
        let three = [4e-5, 1e-3, 7.50001e-4];
        close(&sequence(&cycle.lr_phases(1e-3, 3), 3), &three, 1e-6);
        assert_eq!(at_step(&cycle.lr_phases(1e-3, 1), 0), Some(1e-3 / 25.0));
    }

    #[test]
    fn one_cycle_over_mnist_sample_peaks_at_batch_57() {
        let lrs = sequence(&OneCycle::default().lr_phases(1e-3, 193), 193);
        let peak = lrs.iter().position(|lr| *lr == 1e-3);
        assert_eq!(peak, Some(57));
        assert!((lrs[192] - 1.37395e-7).abs() < 1e-12);
    }

    proptest! {
        #[test]
        fn momentum_is_lowest_where_the_rate_is_highest(n in 4usize..2000, max in 1e-6f64..1.0) {
            let cycle = OneCycle::default();
            let lrs = sequence(&cycle.lr_phases(max, n), n);
            let moms = sequence(&cycle.mom_phases(n), n);
            prop_assert_eq!(lrs.len(), n);
            let high = lrs.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).map(|x| x.0);
            let low = moms.iter().enumerate().min_by(|a, b| a.1.total_cmp(b.1)).map(|x| x.0);
            prop_assert_eq!(high, low);
            prop_assert!(lrs.iter().all(|lr| *lr > 0.0 && *lr <= max));
            prop_assert_eq!(lrs[0], max / 25.0);
        }

        #[test]
        fn an_annealing_starts_and_ends_where_it_says(a in 1e-6f64..1.0, b in 1e-6f64..1.0) {
            for f in [Annealing::Linear, Annealing::Exponential, Annealing::Cosine, Annealing::Polynomial(0.8)] {
                prop_assert!((f.at(a, b, 0.0) - a).abs() < 1e-12);
                prop_assert!((f.at(a, b, 1.0) - b).abs() < 1e-12);
            }
        }
    }
}
