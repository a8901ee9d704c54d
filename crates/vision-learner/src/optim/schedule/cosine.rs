//! Cosine annealing with a warm-up and restarts.

use vision_base::OptionError;

use crate::Result;
use crate::optim::Hyper;
use crate::optim::schedule::phases::{check_not_negative, check_positive, check_share};
use crate::optim::schedule::{Annealing, GroupPhases, Phase, Schedule, Span};

/// Most cycles of a fit.
const MOST_CYCLES: usize = 10_000;

/// Cosine annealing with a warm-up and restarts: [`FitConfig::cosine`](crate::FitConfig::cosine).
///
/// After the warm-up the learning rate falls from its peak along half a cosine, once per cycle. Source: Loshchilov &
/// Hutter, <https://arxiv.org/abs/1608.03983>; PyTorch's `LinearLR` and `CosineAnnealingWarmRestarts`.
///
/// ```
/// use vision_learner::FitConfig;
/// use vision_learner::schedule::Cosine;
/// // 1 epoch of warm-up, then cycles of 3 and of 6 epochs.
/// let schedule = Cosine { warmup_epochs: 1.0, cycles: 2, cycle_mult: 2.0, ..Cosine::default() };
/// let config = FitConfig::new(10).with_lr(1e-3).with_schedule(schedule);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Cosine {
    /// Length of the warm-up in epochs, during which the learning rate rises in a straight line. Default: 0.
    pub warmup_epochs: f64,
    /// The first learning rate of the warm-up, as a fraction of the peak. Default: 0.01.
    pub warmup_start: f64,
    /// Number of cycles, which share the steps after the warm-up. Default: 1.
    pub cycles: usize,
    /// Length of each cycle as a multiple of the one before. Default: 1.
    pub cycle_mult: f64,
    /// Peak of each cycle as a multiple of the one before. Default: 1.
    pub cycle_decay: f64,
    /// The learning rate at the end of a cycle, as a fraction of the first peak. Default: 0.
    pub end: f64,
}

impl Default for Cosine {
    fn default() -> Self {
        Self {
            warmup_epochs: 0.0,
            warmup_start: 0.01,
            cycles: 1,
            cycle_mult: 1.0,
            cycle_decay: 1.0,
            end: 0.0,
        }
    }
}

impl Schedule for Cosine {
    fn phases(&self, groups: &[Hyper], span: Span) -> Result<Vec<GroupPhases>> {
        check_not_negative("warmup_epochs", self.warmup_epochs)?;
        check_share("warmup_start", self.warmup_start)?;
        check_positive("cycle_mult", self.cycle_mult)?;
        check_positive("cycle_decay", self.cycle_decay)?;
        check_share("end", self.end)?;
        if !(1..=MOST_CYCLES).contains(&self.cycles) {
            let expected = format!("a number from 1 to {MOST_CYCLES}");
            return Err(OptionError::new("cycles", expected, self.cycles).into());
        }
        let all = span.steps as f64;
        let warmup = self.warmup_epochs * span.batches as f64;
        if warmup > all {
            let expected = "no more epochs than the fit has";
            return Err(OptionError::new("warmup_epochs", expected, self.warmup_epochs).into());
        }
        let cycles = 0..i32::try_from(self.cycles).unwrap_or(i32::MAX);
        let parts: Vec<f64> = cycles.map(|cycle| self.cycle_mult.powi(cycle)).collect();
        let sum: f64 = parts.iter().sum();
        let phases = |group: &Hyper| {
            let mut peak = group.lr;
            let mut lr = vec![Phase {
                steps: warmup,
                start: peak * self.warmup_start,
                end: peak,
                annealing: Annealing::Linear,
            }];
            for part in &parts {
                lr.push(Phase {
                    steps: (all - warmup) * (part / sum),
                    start: peak,
                    end: group.lr * self.end,
                    annealing: Annealing::Cosine,
                });
                peak *= self.cycle_decay;
            }
            GroupPhases {
                lr,
                ..GroupPhases::default()
            }
        };
        Ok(groups.iter().map(phases).collect())
    }
}
