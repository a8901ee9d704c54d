//! Steps on the gradients of several batches.

use std::collections::BTreeMap;

use burn::tensor::{Tensor, TensorData};
use serde::{Deserialize, Serialize};
use vision_base::OptionError;
use vision_models::state::{NamedTensor, values};

use crate::{Callback, CallbackState, Context, Error, Result};

/// Takes a step only every so many batches, on their mean gradient: the step of a batch that many times larger, except
/// for the statistics of batch norms.
///
/// The gradients of a batch are weighted by its number of items. Batches left over at the end of an epoch make a step of
/// their own. Schedules count batches as before.
///
/// ```
/// use vision_learner::FitConfig;
/// use vision_learner::callbacks::AccumulateGradients;
/// // Batches of 16 that train like batches of 64.
/// let config = FitConfig::one_cycle(5).with_callback(AccumulateGradients::new(4));
/// ```
#[doc(alias("AccumulateScheduler", "GradientAccumulation"))]
#[derive(Clone, Debug)]
pub struct AccumulateGradients {
    batches: usize,
    /// Since the last step.
    gathered: usize,
    items: usize,
    /// Sums of gradients times items, by the position of the parameter.
    sums: BTreeMap<usize, Tensor<1>>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct State {
    gathered: usize,
    items: usize,
}

impl AccumulateGradients {
    /// Steps every `batches` batches.
    #[doc(alias = "n_step")]
    pub fn new(batches: usize) -> Self {
        Self {
            batches,
            gathered: 0,
            items: 0,
            sums: BTreeMap::new(),
        }
    }
}

impl Callback for AccumulateGradients {
    // Before gradients are clipped.
    fn order(&self) -> i32 {
        -5
    }

    fn settings(&self) -> String {
        self.batches.to_string()
    }

    fn state(&self) -> Result<CallbackState> {
        let state = State {
            gathered: self.gathered,
            items: self.items,
        };
        let tensors = self.sums.iter().map(|(at, sum)| NamedTensor {
            name: at.to_string(),
            shape: sum.dims().to_vec(),
            values: values(sum.clone()),
        });
        Ok(CallbackState {
            tensors: tensors.collect(),
            ..CallbackState::of("AccumulateGradients", &state)?
        })
    }

    fn restore(&mut self, state: CallbackState, ctx: &mut Context<'_>) -> Result<()> {
        let State { gathered, items } = state.read("AccumulateGradients")?;
        (self.gathered, self.items) = (gathered, items);
        let lens: Vec<usize> = ctx.entries().iter().map(|entry| entry.len()).collect();
        let device = ctx.data().device().clone();
        self.sums.clear();
        for tensor in state.tensors {
            let at = tensor.name.parse::<usize>().ok();
            let at = at.filter(|at| lens.get(*at) == Some(&tensor.values.len()));
            let at = at.ok_or_else(|| Error::Callback {
                name: self.name(),
                source: format!("the saved gradient {} fits no parameter", tensor.name).into(),
            })?;
            let data = TensorData::new(tensor.values, [lens[at]]);
            self.sums.insert(at, Tensor::from_data(data, &device));
        }
        Ok(())
    }

    fn on_train_begin(&mut self, _ctx: &mut Context<'_>) -> Result<()> {
        if self.batches == 0 {
            return Err(OptionError::new("batches", "at least 1", 0).into());
        }
        *self = Self::new(self.batches);
        Ok(())
    }

    fn on_backward_end(&mut self, ctx: &mut Context<'_>) -> Result<()> {
        let items = ctx.state.items;
        if ctx.state.grads.is_none() || items == 0 {
            return Ok(());
        }
        self.gathered = self.gathered.saturating_add(1);
        self.items = self.items.saturating_add(items);
        let last = ctx.state.num_batch + 1 >= ctx.state.batches;
        let steps = self.gathered >= self.batches || last;
        let (all, sums) = (self.items as f64, &mut self.sums);
        ctx.map_gradients(|at, grad| {
            let grad = grad.mul_scalar(items as f64);
            let sum = match sums.remove(&at) {
                Some(sum) => sum + grad,
                None => grad,
            };
            if steps {
                return sum.div_scalar(all);
            }
            sums.insert(at, sum.clone());
            sum
        });
        if steps {
            *self = Self::new(self.batches);
        } else {
            ctx.state.skip_step = true;
        }
        Ok(())
    }
}
