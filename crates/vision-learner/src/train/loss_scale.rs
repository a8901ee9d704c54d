//! The factor that keeps gradients of 16 bits in their range.

use serde::{Deserialize, Serialize};

/// A factor of the loss that adapts to the gradients, as PyTorch's `GradScaler`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LossScale {
    factor: f64,
    /// Steps since it last changed.
    steps: u32,
}

impl Default for LossScale {
    fn default() -> Self {
        Self {
            factor: 65_536.0,
            steps: 0,
        }
    }
}

impl LossScale {
    /// Steps with finite gradients after which the factor doubles.
    const PATIENCE: u32 = 2000;
    const MOST: f64 = 16_777_216.0;

    /// What the loss is multiplied with.
    pub(crate) fn factor(&self) -> f64 {
        self.factor
    }

    /// Takes note of gradients. Returns whether the step is to be skipped: a smaller factor may give finite ones.
    pub(crate) fn update(&mut self, finite: bool) -> bool {
        if !finite {
            self.steps = 0;
            let skip = self.factor > 1.0;
            self.factor = (self.factor / 2.0).max(1.0);
            return skip;
        }
        self.steps += 1;
        if self.steps >= Self::PATIENCE {
            self.steps = 0;
            self.factor = (self.factor * 2.0).min(Self::MOST);
        }
        false
    }

    /// Whether a file of ours can hold it.
    pub(crate) fn is_plausible(&self) -> bool {
        (1.0..=Self::MOST).contains(&self.factor) && self.steps < Self::PATIENCE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The factors of `torch.amp.GradScaler` with its defaults for the same course of steps.
    #[test]
    fn the_factor_changes_as_pytorchs() {
        let mut scale = LossScale::default();
        assert!(scale.update(false));
        assert_eq!(scale.factor(), 32_768.0);
        for _ in 0..1999 {
            assert!(!scale.update(true));
        }
        assert_eq!(scale.factor(), 32_768.0);
        scale.update(true);
        assert_eq!(scale.factor(), 65_536.0);
        scale.update(true);
        scale.update(false);
        assert_eq!(scale.factor(), 32_768.0);
    }

    #[test]
    fn at_a_factor_of_one_the_gradients_themselves_are_not_finite() {
        let mut scale = LossScale::default();
        assert!((0..16).all(|_| scale.update(false)));
        assert_eq!(scale.factor(), 1.0);
        assert!(!scale.update(false));
    }
}
