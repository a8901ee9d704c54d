//! The states of all callbacks.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use vision_models::state::NamedTensor;

use crate::Result;
use crate::train::callback::{Callback, CallbackState};
use crate::train::context::Context;

/// The state of each callback with its name, in the callbacks' order.
#[derive(Clone, Debug, Default)]
pub(crate) struct States(pub(super) Vec<(String, CallbackState)>);

/// A state in the file of a step. Its tensors are in the file under [`tensor_name`].
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Stored {
    pub(super) name: String,
    pub(super) values: Value,
    /// Names of its tensors.
    pub(super) tensors: Vec<String>,
}

impl States {
    pub(crate) fn of(callbacks: &[&mut dyn Callback]) -> Result<Self> {
        let state = |callback: &&mut dyn Callback| Ok((callback.name(), callback.state()?));
        callbacks.iter().map(state).collect::<Result<_>>().map(Self)
    }

    /// Gives each state to the callback of its name. Several callbacks of one name keep their order.
    pub(crate) fn restore(
        self,
        callbacks: &mut [&mut dyn Callback],
        ctx: &mut Context<'_>,
    ) -> Result<()> {
        let mut states = self.0;
        for callback in callbacks {
            let name = callback.name();
            if let Some(at) = states.iter().position(|(own, _)| *own == name) {
                callback.restore(states.remove(at).1, ctx)?;
            }
        }
        Ok(())
    }

    pub(super) fn stored(&self) -> Vec<Stored> {
        let stored = |(name, state): &(String, CallbackState)| Stored {
            name: name.clone(),
            values: state.values.clone(),
            tensors: state.tensors.iter().map(|t| t.name.clone()).collect(),
        };
        self.0.iter().map(stored).collect()
    }

    /// The tensors of all states, under their names in the file.
    pub(super) fn tensors(&self) -> Vec<NamedTensor> {
        let states = self.0.iter().enumerate();
        let tensors = states.flat_map(|(i, (_, state))| {
            state.tensors.iter().map(move |tensor| NamedTensor {
                name: tensor_name(i, &tensor.name),
                ..tensor.clone()
            })
        });
        tensors.collect()
    }
}

/// The name in the file of a tensor of the state at `place`.
pub(super) fn tensor_name(place: usize, tensor: &str) -> String {
    format!("callback.{place}.{tensor}")
}
