//! Hyper-parameter schedules over the steps of a fit: annealing functions and the one-cycle policy.
//!
//! Source of every formula: fastai v1's `callback.py` (annealing) and `callbacks/one_cycle.py`.

use std::f64::consts::PI;

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
    /// Length in steps, at least 1.
    pub steps: usize,
    /// Value at the start.
    pub start: f64,
    /// Value after the last step.
    pub end: f64,
    /// The curve between them.
    pub annealing: Annealing,
}

/// The value at step `step` of consecutive phases, or `None` beyond their end.
///
/// Step 0 uses the start of the first phase. The end of the last phase is reached only after the last
/// step, so no batch trains with it.
pub fn at_step(phases: &[Phase], step: usize) -> Option<f64> {
    let mut first: usize = 0;
    for phase in phases {
        let steps = phase.steps.max(1);
        // Only the last phases of a schedule without end can reach the largest number.
        if step < first.saturating_add(steps) {
            let p = (step - first) as f64 / steps as f64;
            return Some(phase.annealing.at(phase.start, phase.end, p));
        }
        first = first.saturating_add(steps);
    }
    None
}

/// The one-cycle policy: learning rate up and momentum down, then both back, along half cosines.
#[derive(Clone, Debug, PartialEq)]
pub struct OneCycle {
    /// Momentum (Adam's beta1) as a pair: at both ends, and at the peak of the learning rate. Default:
    /// (0.95, 0.85).
    pub moms: (f64, f64),
    /// The first learning rate is the peak divided by this. Default: 25.
    pub div_factor: f64,
    /// Fraction of the steps before the peak. Default: 0.3.
    pub pct_start: f64,
    /// The final learning rate is the peak divided by this. Default: `div_factor` · 10⁴.
    pub final_div: Option<f64>,
}

impl Default for OneCycle {
    fn default() -> Self {
        Self {
            moms: (0.95, 0.85),
            div_factor: 25.0,
            pct_start: 0.3,
            final_div: None,
        }
    }
}

impl OneCycle {
    /// The two phases of a learning rate with the given peak, over `total` steps.
    pub fn lr_phases(&self, max: f64, total: usize) -> [Phase; 2] {
        let final_div = self.final_div.unwrap_or(self.div_factor * 1e4);
        self.phases(total, [max / self.div_factor, max, max / final_div])
    }

    /// The two phases of the momentum, over `total` steps.
    pub fn mom_phases(&self, total: usize) -> [Phase; 2] {
        self.phases(total, [self.moms.0, self.moms.1, self.moms.0])
    }

    fn phases(&self, total: usize, [a, b, c]: [f64; 3]) -> [Phase; 2] {
        let up = (total as f64 * self.pct_start) as usize;
        let phase = |steps: usize, start, end| Phase {
            steps: steps.max(1),
            start,
            end,
            annealing: Annealing::Cosine,
        };
        [phase(up, a, b), phase(total - up.min(total), b, c)]
    }
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
