//! An average of weights.

use std::path::PathBuf;

use burn::tensor::{Tensor, TensorData};
use vision_kernels::ops;
use vision_models::state::{Entry, NamedTensor, values};

use crate::{Context, Error, Result};

/// An average of all parameters and running statistics, in their order.
#[derive(Clone, Debug, Default)]
pub(super) struct Averaged {
    tensors: Vec<Tensor<1>>,
}

impl Averaged {
    /// The model's own values.
    pub(super) fn of(ctx: &Context<'_>) -> Self {
        Self {
            tensors: ctx.tensors(),
        }
    }

    /// Whether nothing was averaged yet.
    pub(super) fn is_empty(&self) -> bool {
        self.tensors.is_empty()
    }

    /// Moves the average by a part of the way to the model's values. Frozen parameters stay as they are, bit for bit.
    pub(super) fn move_to(&mut self, ctx: &Context<'_>, part: f64) {
        let averages = std::mem::take(&mut self.tensors).into_iter();
        let pairs = averages.zip(ctx.tensors());
        self.tensors = pairs
            .map(|(average, value)| ops::move_to(average, &value, part))
            .collect();
    }

    /// Validates the averaged weights, and returns the values under their names with `prefix` before them. If `whole`,
    /// the statistics of batch norms are first computed anew, over the training set.
    pub(super) fn validate(
        &mut self,
        ctx: &mut Context<'_>,
        prefix: &str,
        whole: bool,
    ) -> Result<Vec<(String, f64)>> {
        let valid = ctx.data().batches(vision_data::DatasetType::Valid) > 0;
        let skip = ctx.state.skip_validate || !valid;
        if skip && !whole {
            return Ok(Vec::new());
        }
        let (tensors, scores) = ctx.with_tensors(self.tensors.clone(), |ctx| {
            if whole {
                ctx.recompute_statistics()?;
            }
            let scores = if skip { Vec::new() } else { ctx.validate()? };
            Ok((ctx.tensors(), scores))
        })?;
        self.tensors = tensors;
        let named = |(name, value): (String, f64)| (format!("{prefix}_{name}"), value);
        Ok(scores.into_iter().map(named).collect())
    }

    /// Computes the statistics of batch norms anew, over the training set.
    pub(super) fn recompute(&mut self, ctx: &mut Context<'_>) -> Result<()> {
        self.tensors = ctx.with_tensors(self.tensors.clone(), |ctx| {
            ctx.recompute_statistics()?;
            Ok(ctx.tensors())
        })?;
        Ok(())
    }

    /// Saves the averaged weights as a checkpoint.
    pub(super) fn save(&self, ctx: &mut Context<'_>, name: &str) -> Result<PathBuf> {
        ctx.with_tensors(self.tensors.clone(), |ctx| ctx.save(name))
    }

    pub(super) fn saved(&self) -> Vec<NamedTensor> {
        let named = |(i, tensor): (usize, &Tensor<1>)| NamedTensor {
            name: i.to_string(),
            shape: tensor.dims().to_vec(),
            values: values(tensor.clone()),
        };
        self.tensors.iter().enumerate().map(named).collect()
    }

    /// Takes back what [`saved`](Self::saved) returned.
    pub(super) fn restored(name: &str, saved: Vec<NamedTensor>, ctx: &Context<'_>) -> Result<Self> {
        let entries = ctx.entries();
        let found: Vec<usize> = saved.iter().map(|tensor| tensor.values.len()).collect();
        let expected: Vec<usize> = entries.iter().map(Entry::len).collect();
        if !found.is_empty() && found != expected {
            return Err(Error::Callback {
                name: name.to_owned(),
                source: "the saved average is of other parameters".into(),
            });
        }
        let device = ctx.data().device();
        let tensor = |saved: NamedTensor| {
            let len = saved.values.len();
            Tensor::from_data(TensorData::new(saved.values, [len]), device)
        };
        Ok(Self {
            tensors: saved.into_iter().map(tensor).collect(),
        })
    }
}
