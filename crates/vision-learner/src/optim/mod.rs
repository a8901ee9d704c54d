//! Optimizers with hyper-parameters per layer group that may change at every step.
//!
//! Burn's `ModuleOptimizer` fixes the hyper-parameters of a parameter at its first step, restores state
//! by Burn's parameter ids, and silently drops state that does not fit. But the one-cycle policy changes
//! momentum at every step, and loading a checkpoint must report what it could not restore. So this
//! module has its own loop over the parameters (`docs/design/training-loop.md`).

mod adam;
pub(crate) mod groups;
mod lamb;
mod lion;
pub(crate) mod lr;
mod radam;
mod rms_prop;
pub mod schedule;
mod sgd;

use std::collections::HashMap;
use std::fmt;

use burn::module::{Module, ModuleMapper, Param, ParamId};
use burn::tensor::{Gradients, Tensor};
use serde::{Deserialize, Serialize};
use vision_base::OptionError;
use vision_models::state::Entry;

use crate::Result;

pub use adam::Adam;
pub use lamb::Lamb;
pub use lion::Lion;
pub use radam::RAdam;
pub use rms_prop::RmsProp;
pub use sgd::Sgd;

/// The hyper-parameters of a layer group at one step.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hyper {
    /// Learning rate.
    pub lr: f64,
    /// Momentum; for Adam, beta1.
    pub mom: f64,
    /// Weight decay.
    pub wd: f64,
}

impl Hyper {
    /// `value · (1 − lr·wd)`: decoupled weight decay.
    pub fn decayed(&self, value: Tensor<1>) -> Tensor<1> {
        if self.wd > 0.0 {
            value.mul_scalar(1.0 - self.lr * self.wd)
        } else {
            value
        }
    }
}

/// The optimizer state of one parameter.
#[derive(Clone, Debug, Default)]
pub struct ParamState {
    /// Steps taken.
    pub steps: u64,
    /// Running averages, each as long as the parameter. Empty before the first step.
    pub moments: Vec<Tensor<1>>,
}

/// An update rule: turns a gradient into a new parameter value.
///
/// It sees every parameter as a flat vector on the plain (non-autodiff) device.
pub trait Optimizer: fmt::Debug + Send + Sync {
    /// Name of the rule in checkpoints.
    fn name(&self) -> &'static str;

    /// Initial momentum.
    fn momentum(&self) -> f64;

    /// Validates the settings before training. Default: always valid.
    ///
    /// # Errors
    ///
    /// [`Error::Option`](crate::Error::Option) with the invalid setting.
    fn check(&self) -> Result<()> {
        Ok(())
    }

    /// The new value of a parameter, shape `[len]`, and its new state.
    ///
    /// `hyper.wd` is the decoupled weight decay, which the rule applies before its step (see
    /// [`Hyper::decayed`]). It is 0 if the parameter does not decay, or if an L2 term is already in the
    /// gradient.
    fn update(
        &self,
        value: Tensor<1>,
        grad: Tensor<1>,
        state: &mut ParamState,
        hyper: &Hyper,
    ) -> Tensor<1>;
}

/// A running average with decay 1 never moves, and one with a larger decay explodes.
fn check_average(option: &'static str, kept: f64) -> Result<()> {
    if (0.0..1.0).contains(&kept) {
        return Ok(());
    }
    Err(OptionError::new(option, "a number of at least 0 and below 1", kept).into())
}

fn check_eps(eps: f64) -> Result<()> {
    // Parameters are 32-bit floats, for which a smaller number is 0.
    if eps.is_finite() && eps >= f64::from(f32::MIN_POSITIVE) {
        return Ok(());
    }
    Err(OptionError::new("eps", "a finite number of at least 1.2e-38", eps).into())
}

/// The running averages of a parameter; zeros before its first step.
fn moments<const N: usize>(state: &mut ParamState, value: &Tensor<1>) -> [Tensor<1>; N] {
    let mut moments = std::mem::take(&mut state.moments).into_iter();
    std::array::from_fn(|_| {
        let zeros = || Tensor::zeros(value.dims(), &value.device());
        moments.next().unwrap_or_else(zeros)
    })
}

/// `kept` of the average and the rest of the new value.
fn average(before: Tensor<1>, kept: f64, new: Tensor<1>) -> Tensor<1> {
    before.mul_scalar(kept) + new.mul_scalar(1.0 - kept)
}

/// An optimizer over the layer groups of one model, with the state of every parameter.
pub struct GroupedOptimizer {
    rule: Box<dyn Optimizer>,
    groups: Vec<Hyper>,
    params: HashMap<ParamId, Membership>,
    state: HashMap<ParamId, ParamState>,
    true_wd: bool,
}

/// The layer group of a parameter, and whether the parameter decays.
#[derive(Clone, Copy)]
struct Membership {
    group: usize,
    decays: bool,
}

impl GroupedOptimizer {
    /// Creates an optimizer without state. Each layer group is a list of parameters.
    ///
    /// With `true_wd`, the weights themselves decay (p ← p·(1 − lr·wd), before the step); otherwise wd·p
    /// is added to the gradient. Without `bn_wd`, batch norms and biases do not decay.
    pub fn new(
        rule: Box<dyn Optimizer>,
        groups: &[Vec<Entry>],
        true_wd: bool,
        bn_wd: bool,
    ) -> Self {
        let hyper = Hyper {
            lr: 3e-3,
            mom: rule.momentum(),
            wd: 0.0,
        };
        let params = groups.iter().enumerate().flat_map(|(group, entries)| {
            entries.iter().map(move |entry| {
                let bias = entry.name.rsplit('.').next() == Some("bias");
                let decays = bn_wd || !(entry.is_batch_norm() || bias);
                (entry.id, Membership { group, decays })
            })
        });
        Self {
            groups: vec![hyper; groups.len()],
            params: params.collect(),
            state: HashMap::new(),
            rule,
            true_wd,
        }
    }

    /// The hyper-parameters of each layer group.
    pub fn groups(&self) -> &[Hyper] {
        &self.groups
    }

    /// Mutable access to the hyper-parameters of each layer group; changes apply from the next step.
    pub fn groups_mut(&mut self) -> &mut [Hyper] {
        &mut self.groups
    }

    /// Learning rate of the last layer group.
    pub fn lr(&self) -> f64 {
        self.groups.last().map_or(0.0, |g| g.lr)
    }

    /// Momentum of the last layer group.
    pub fn mom(&self) -> f64 {
        self.groups.last().map_or(0.0, |g| g.mom)
    }

    /// Validates the rule's settings.
    pub(crate) fn check(&self) -> Result<()> {
        self.rule.check()
    }

    /// The rule's name.
    pub fn name(&self) -> &'static str {
        self.rule.name()
    }

    /// Takes one step on every parameter of `model` that has a gradient. Parameters without one do not
    /// change, not even by weight decay. Gradients are removed from `grads` as they are used.
    pub fn step<M: Module>(&mut self, model: M, grads: &mut Gradients) -> M {
        model.map(&mut Step {
            optimizer: self,
            grads,
        })
    }

    /// The state of a parameter, once it has taken a step.
    pub(crate) fn state(&self, id: ParamId) -> Option<&ParamState> {
        self.state.get(&id)
    }

    /// Copies the state and the hyper-parameters of another optimizer.
    pub(crate) fn state_from(&mut self, other: &Self) {
        self.groups.clone_from(&other.groups);
        self.state.clone_from(&other.state);
    }

    pub(crate) fn set_state(&mut self, id: ParamId, state: ParamState) {
        self.state.insert(id, state);
    }

    fn update<const D: usize>(
        &mut self,
        id: ParamId,
        value: Tensor<D>,
        grad: Tensor<D>,
    ) -> Tensor<D> {
        let Some(Membership { group, decays }) = self.params.get(&id).copied() else {
            return value;
        };
        let mut hyper = self.groups[group];
        let shape = value.dims();
        let len = value.shape().num_elements();
        let value = value.reshape([len]);
        let mut grad = grad.reshape([len]);
        if !decays {
            hyper.wd = 0.0;
        } else if !self.true_wd {
            grad = grad + value.clone().mul_scalar(hyper.wd);
            hyper.wd = 0.0;
        }
        let state = self.state.entry(id).or_default();
        self.rule.update(value, grad, state, &hyper).reshape(shape)
    }
}

impl fmt::Debug for GroupedOptimizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GroupedOptimizer")
            .field("rule", &self.rule)
            .field("groups", &self.groups)
            .finish_non_exhaustive()
    }
}

/// One pass over the parameters of a model.
struct Step<'a> {
    optimizer: &'a mut GroupedOptimizer,
    grads: &'a mut Gradients,
}

impl ModuleMapper for Step<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let id = param.id;
        let Some(grad) = param.val().grad_remove(self.grads) else {
            return param;
        };
        param.map(|value| {
            let new = self.optimizer.update(id, value.inner(), grad);
            Tensor::from_inner(new).require_grad()
        })
    }
}
