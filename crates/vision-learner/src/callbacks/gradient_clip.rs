//! Limits the gradients.

use burn::tensor::Tensor;
use vision_base::OptionError;

use crate::{Callback, Context, Result};

/// Limits the gradients before each step.
///
/// ```
/// use vision_learner::FitConfig;
/// use vision_learner::callbacks::GradientClip;
/// let config = FitConfig::one_cycle(5).with_callback(GradientClip::norm(1.0));
/// ```
#[doc(alias("GradientClipping", "clip_grad", "clip_grad_norm_", "clip_grad_value_"))]
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GradientClip {
    kind: Kind,
    max: f64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Norm,
    Value,
}

impl GradientClip {
    /// Scales all gradients together so that their L2 norm, over all parameters, is at most `max`: by
    /// max / (norm + 10⁻⁶) if that is below 1, as PyTorch's `clip_grad_norm_`.
    pub fn norm(max: f64) -> Self {
        let kind = Kind::Norm;
        Self { kind, max }
    }

    /// Limits each value of the gradients to −`max` … `max`, as PyTorch's `clip_grad_value_`.
    pub fn value(max: f64) -> Self {
        let kind = Kind::Value;
        Self { kind, max }
    }
}

impl Callback for GradientClip {
    // After gradients were accumulated.
    fn order(&self) -> i32 {
        10
    }

    fn settings(&self) -> String {
        format!("{:?} {}", self.kind, self.max)
    }

    fn on_train_begin(&mut self, _ctx: &mut Context<'_>) -> Result<()> {
        if self.max.is_finite() && self.max > 0.0 {
            return Ok(());
        }
        Err(OptionError::new("max", "a finite number above 0", self.max).into())
    }

    fn on_backward_end(&mut self, ctx: &mut Context<'_>) -> Result<()> {
        if ctx.state.skip_step {
            return Ok(());
        }
        if self.kind == Kind::Value {
            ctx.map_gradients(|_, grad| grad.clamp(-self.max, self.max));
            return Ok(());
        }
        let mut sum: Option<Tensor<1>> = None;
        ctx.map_gradients(|_, grad| {
            let squares = grad.clone().powi_scalar(2).sum();
            sum = Some(match sum.take() {
                Some(sum) => sum + squares,
                None => squares,
            });
            grad
        });
        let Some(sum) = sum else {
            return Ok(());
        };
        let norm = vision_models::state::values(sum.sqrt());
        let norm = norm.first().copied().map_or(0.0, f64::from);
        let factor = self.max / (norm + 1e-6);
        // Not finite: the step is refused anyway.
        if factor < 1.0 {
            ctx.map_gradients(|_, grad| grad.mul_scalar(factor));
        }
        Ok(())
    }
}
