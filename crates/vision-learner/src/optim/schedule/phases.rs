//! Phases of any length and curve, over any hyper-parameter.

use vision_base::OptionError;

use crate::optim::Hyper;
use crate::optim::lr::{LearningRate, WeightDecay};
use crate::optim::schedule::{Annealing, GroupPhases, Phase, Schedule, Span};
use crate::{Error, Result};

/// The length of a [`FitPhase`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Length {
    /// A fraction of the fit.
    Share(f64),
    /// Epochs, also parts of one.
    Epochs(f64),
    /// Training batches.
    Steps(usize),
}

/// Phases of any length and curve, over any hyper-parameter.
///
/// Phases that are shorter than the fit together leave the values as they are at the end of the last one; those that
/// are longer are cut.
///
/// ```
/// use vision_learner::FitConfig;
/// use vision_learner::schedule::{Annealing, FitPhase, Length, Phases};
///
/// let schedule = Phases::new([
///     FitPhase::new(Length::Epochs(1.0)).with_lr(1e-5, 1e-3, Annealing::Linear),
///     FitPhase::new(Length::Share(0.5)),                               // all values stay
///     FitPhase::new(Length::Steps(500))
///         .with_lr(1e-3, 1e-6, Annealing::Cosine)
///         .with_mom(0.9, 0.95, Annealing::Linear),
/// ]);
/// let config = FitConfig::new(10).with_schedule(schedule);
/// ```
#[doc(alias("GeneralScheduler", "TrainingPhase", "schedule_hp"))]
#[derive(Clone, Debug, PartialEq)]
pub struct Phases(Vec<FitPhase>);

/// A part of a fit, with the course of each hyper-parameter.
#[derive(Clone, Debug, PartialEq)]
pub struct FitPhase {
    length: Length,
    lr: Option<(LearningRate, LearningRate, Annealing)>,
    mom: Option<(f64, f64, Annealing)>,
    wd: Option<(WeightDecay, WeightDecay, Annealing)>,
}

impl FitPhase {
    /// A phase in which everything stays as it is.
    pub fn new(length: Length) -> Self {
        Self {
            length,
            lr: None,
            mom: None,
            wd: None,
        }
    }

    /// Sets the learning rates at both ends of the phase, and the curve between them.
    pub fn with_lr(
        mut self,
        start: impl Into<LearningRate>,
        end: impl Into<LearningRate>,
        annealing: Annealing,
    ) -> Self {
        self.lr = Some((start.into(), end.into(), annealing));
        self
    }

    /// Sets the momentum (Adam's beta1) at both ends of the phase, and the curve between them.
    pub fn with_mom(mut self, start: f64, end: f64, annealing: Annealing) -> Self {
        self.mom = Some((start, end, annealing));
        self
    }

    /// Sets the weight decays at both ends of the phase, and the curve between them.
    pub fn with_wd(
        mut self,
        start: impl Into<WeightDecay>,
        end: impl Into<WeightDecay>,
        annealing: Annealing,
    ) -> Self {
        self.wd = Some((start.into(), end.into(), annealing));
        self
    }

    fn steps(&self, span: Span) -> Result<f64> {
        Ok(match self.length {
            Length::Share(share) => check_share("length", share)? * span.steps as f64,
            Length::Epochs(epochs) => check_not_negative("length", epochs)? * span.batches as f64,
            Length::Steps(steps) => steps as f64,
        })
    }
}

impl Phases {
    /// The phases in their order.
    pub fn new(phases: impl IntoIterator<Item = FitPhase>) -> Self {
        Self(phases.into_iter().collect())
    }
}

impl Schedule for Phases {
    fn phases(&self, groups: &[Hyper], span: Span) -> Result<Vec<GroupPhases>> {
        let n = groups.len();
        // The values at the end of the phase before.
        let mut now = groups.to_vec();
        let mut all = vec![GroupPhases::default(); n];
        for phase in &self.0 {
            let steps = phase.steps(span)?;
            let lr = match &phase.lr {
                Some((start, end, annealing)) => {
                    Some((start.per_group(n)?, end.per_group(n)?, *annealing))
                }
                None => None,
            };
            if let Some((start, end, _)) = phase.mom {
                check_moms("mom", [start, end])?;
            }
            let wd = match &phase.wd {
                Some((start, end, annealing)) => {
                    Some((start.per_group(n)?, end.per_group(n)?, *annealing))
                }
                None => None,
            };
            for (i, group) in all.iter_mut().enumerate() {
                let value = |now: f64, course: Option<(f64, f64, Annealing)>| {
                    let (start, end, annealing) = course.unwrap_or((now, now, Annealing::No));
                    Phase {
                        steps,
                        start,
                        end,
                        annealing,
                    }
                };
                let of = |course: &Option<(Vec<f64>, Vec<f64>, Annealing)>| {
                    let (start, end, annealing) = course.as_ref()?;
                    Some((start[i], end[i], *annealing))
                };
                group.lr.push(value(now[i].lr, of(&lr)));
                group.mom.push(value(now[i].mom, phase.mom));
                group.wd.push(value(now[i].wd, of(&wd)));
                let end = |phases: &[Phase], before| phases.last().map_or(before, Phase::last);
                now[i] = Hyper {
                    lr: end(&group.lr, now[i].lr),
                    mom: end(&group.mom, now[i].mom),
                    wd: end(&group.wd, now[i].wd),
                };
            }
        }
        Ok(all)
    }
}

pub(super) fn check_moms(option: &'static str, moms: [f64; 2]) -> Result<()> {
    for mom in moms {
        if !(0.0..1.0).contains(&mom) {
            return wrong(option, "numbers of at least 0 and below 1", mom);
        }
    }
    Ok(())
}

pub(super) fn check_positive(option: &'static str, value: f64) -> Result<()> {
    match value.is_finite() && value > 0.0 {
        true => Ok(()),
        false => wrong(option, "a number above 0", value),
    }
}

pub(super) fn check_not_negative(option: &'static str, value: f64) -> Result<f64> {
    match value.is_finite() && value >= 0.0 {
        true => Ok(value),
        false => wrong(option, "a finite number of at least 0", value),
    }
}

pub(super) fn check_share(option: &'static str, value: f64) -> Result<f64> {
    match (0.0..=1.0).contains(&value) {
        true => Ok(value),
        false => wrong(option, "a number from 0 to 1", value),
    }
}

fn wrong<T>(option: &'static str, expected: &'static str, found: f64) -> Result<T> {
    Err(Error::Option(OptionError::new(
        option,
        expected,
        found.to_string(),
    )))
}
