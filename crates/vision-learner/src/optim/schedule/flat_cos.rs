//! A flat learning rate, then a fall along half a cosine.

use crate::Result;
use crate::optim::Hyper;
use crate::optim::schedule::phases::{check_positive, check_share};
use crate::optim::schedule::{Annealing, GroupPhases, Phase, Schedule, Span};

/// A flat learning rate, then a fall along half a cosine: [`FitConfig::flat_cos`](crate::FitConfig::flat_cos).
///
/// Source: fastai 2's `fit_flat_cos`.
#[derive(Clone, Debug, PartialEq)]
pub struct FlatCos {
    /// Fraction of the steps at the full learning rate. Default: 0.75.
    pub pct_start: f64,
    /// The final learning rate is the full one divided by this. Default: 10⁵.
    pub final_div: f64,
}

impl Default for FlatCos {
    fn default() -> Self {
        Self {
            pct_start: 0.75,
            final_div: 1e5,
        }
    }
}

impl Schedule for FlatCos {
    fn phases(&self, groups: &[Hyper], span: Span) -> Result<Vec<GroupPhases>> {
        check_share("pct_start", self.pct_start)?;
        check_positive("final_div", self.final_div)?;
        let flat = span.steps as f64 * self.pct_start;
        let phases = |group: &Hyper| {
            let phase = |steps, annealing, end| Phase {
                steps,
                start: group.lr,
                end,
                annealing,
            };
            GroupPhases {
                lr: vec![
                    phase(flat, Annealing::No, group.lr),
                    phase(
                        span.steps as f64 - flat,
                        Annealing::Cosine,
                        group.lr / self.final_div,
                    ),
                ],
                ..GroupPhases::default()
            }
        };
        Ok(groups.iter().map(phases).collect())
    }
}
