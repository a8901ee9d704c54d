//! The one-cycle policy.

use crate::Result;
use crate::optim::Hyper;
use crate::optim::schedule::phases::{check_moms, check_positive, check_share};
use crate::optim::schedule::{Annealing, GroupPhases, Phase, Schedule, Span};

/// The one-cycle policy: learning rate up and momentum down, then both back, along half cosines.
///
/// Source: fastai v1's `callbacks/one_cycle.py`; Smith, <https://arxiv.org/abs/1803.09820>.
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
    /// Whether the rising phase is cut to whole steps, at least one, as in fastai v1; fastai 2 lets it end between two
    /// steps. Default: true.
    pub whole_steps: bool,
}

impl Default for OneCycle {
    fn default() -> Self {
        Self {
            moms: (0.95, 0.85),
            div_factor: 25.0,
            pct_start: 0.3,
            final_div: None,
            whole_steps: true,
        }
    }
}

impl OneCycle {
    /// The defaults of fastai 2: a quarter of the steps before the peak, and a final learning rate of the peak / 10⁵.
    pub fn fastai2() -> Self {
        Self {
            pct_start: 0.25,
            final_div: Some(1e5),
            whole_steps: false,
            ..Self::default()
        }
    }

    /// The two phases of a learning rate with the given peak, over `total` steps.
    pub fn lr_phases(&self, max: f64, total: usize) -> [Phase; 2] {
        let final_div = self.final_div.unwrap_or(self.div_factor * 1e4);
        self.phases_of(total, [max / self.div_factor, max, max / final_div])
    }

    /// The two phases of the momentum, over `total` steps.
    pub fn mom_phases(&self, total: usize) -> [Phase; 2] {
        self.phases_of(total, [self.moms.0, self.moms.1, self.moms.0])
    }

    fn phases_of(&self, total: usize, [a, b, c]: [f64; 3]) -> [Phase; 2] {
        let all = total as f64;
        let up = all * self.pct_start;
        let (up, down) = if self.whole_steps {
            let up = up.floor();
            (up.max(1.0), (all - up).max(1.0))
        } else {
            (up, all - up)
        };
        let phase = |steps, start, end| Phase {
            steps,
            start,
            end,
            annealing: Annealing::Cosine,
        };
        [phase(up, a, b), phase(down, b, c)]
    }
}

impl Schedule for OneCycle {
    fn phases(&self, groups: &[Hyper], span: Span) -> Result<Vec<GroupPhases>> {
        check_moms("moms", [self.moms.0, self.moms.1])?;
        check_positive("div_factor", self.div_factor)?;
        if let Some(div) = self.final_div {
            check_positive("final_div", div)?;
        }
        check_share("pct_start", self.pct_start)?;
        let phases = |group: &Hyper| GroupPhases {
            lr: self.lr_phases(group.lr, span.steps).to_vec(),
            mom: self.mom_phases(span.steps).to_vec(),
            wd: Vec::new(),
        };
        Ok(groups.iter().map(phases).collect())
    }
}
