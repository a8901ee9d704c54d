//! A branch that is added to the input of its block.

use burn::backend::Flex;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::NoCheckpointing;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::flex::FlexTensor;
use burn::tensor::Tensor;

use super::pool::{activations, cost, size};
use super::{Place, checked, common, from_plain, from_tracked, place, plain, tracked};
use crate::ops::memory::{Values, tensor};
use crate::pool::Activations;
use crate::profile::timed;
use crate::{Isa, branch, buffers, channel_scale};

pub(in crate::ops) fn add_branch(
    x: &Tensor<4>,
    y: &Tensor<4>,
    factors: Option<&Tensor<1>>,
) -> Option<Tensor<4>> {
    let shape = activations(x);
    let fits = factors.is_none_or(|factors| factors.dims() == [shape.channels]);
    // Burn's own operations broadcast other shapes, or report the error.
    if y.dims() != x.dims() || !fits {
        return None;
    }
    let forward = |x: &Values, y: &Values, factors: Option<&Values>| -> FlexTensor {
        let mut sum = buffers::take(shape.elements());
        let factors = factors.map(Values::slice);
        let add = || branch::add_branch(Isa::detect(), x.slice(), y.slice(), factors, &mut sum);
        checked(timed("residual", || cost(&shape, 3), add));
        tensor(sum, size(&shape))
    };
    let places = [place(x), place(y)].into_iter();
    if common(places.chain(factors.map(place)))? == Place::Plain {
        let (x, y) = (plain(x.clone())?, plain(y.clone())?);
        let factors = match factors {
            Some(factors) => Some(plain(factors.clone())?),
            None => None,
        };
        return Some(from_plain(forward(&x, &y, factors.as_ref())));
    }
    let (x, y) = (tracked(x.clone())?, tracked(y.clone())?);
    let Some(factors) = factors else {
        let step = AddStep.prepare::<NoCheckpointing>([x.node(), y.node()]);
        let [x, y] = [x, y].map(|t| Values::new(t.into_primitive()));
        let sum = forward(&x, &y, None);
        return Some(from_tracked(step.compute_bound().stateless(sum)));
    };
    let factors = tracked(factors.clone())?;
    let step = ScaledStep.prepare::<NoCheckpointing>([x.node(), y.node(), factors.node()]);
    let [x, y, factors] = [x, y, factors].map(|t| Values::new(t.into_primitive()));
    let sum = forward(&x, &y, Some(&factors));
    Some(from_tracked(match step.compute_bound().stateful() {
        OpsKind::Tracked(step) => step.finish(State { shape, y, factors }, sum),
        OpsKind::UnTracked(step) => step.finish(sum),
    }))
}

#[derive(Debug)]
struct AddStep;

impl Backward<Flex, 2> for AddStep {
    type State = ();

    fn backward(self, ops: Ops<(), 2>, grads: &mut Gradients, _checkpointer: &mut Checkpointer) {
        let dy = grads.consume::<Flex>(&ops.node);
        for node in ops.parents.into_iter().flatten() {
            grads.register::<Flex>(node.id, dy.clone());
        }
    }
}

#[derive(Debug)]
struct ScaledStep;

#[derive(Clone, Debug)]
struct State {
    shape: Activations,
    y: Values,
    factors: Values,
}

impl Backward<Flex, 3> for ScaledStep {
    type State = State;

    fn backward(self, ops: Ops<State, 3>, grads: &mut Gradients, _checkpointer: &mut Checkpointer) {
        let dy = grads.consume::<Flex>(&ops.node);
        let State { shape, y, factors } = &ops.state;
        let [x_node, y_node, factors_node] = ops.parents;
        if let Some(node) = x_node {
            grads.register::<Flex>(node.id, dy.clone());
        }
        if y_node.is_none() && factors_node.is_none() {
            return;
        }
        let dy = Values::new(dy);
        let mut branch = y_node.is_some().then(|| buffers::take(shape.elements()));
        let mut dfactors = vec![0.0; shape.channels];
        let pixels = Activations {
            batch: 1,
            height: 1,
            width: shape.batch * shape.height * shape.width,
            channels: shape.channels,
        };
        let backward = || {
            channel_scale::scale_channels_backward(
                Isa::detect(),
                &pixels,
                y.slice(),
                factors.slice(),
                dy.slice(),
                branch.as_deref_mut(),
                &mut dfactors,
            )
        };
        checked(timed("residual, gradient", || cost(shape, 3), backward));
        if let (Some(node), Some(branch)) = (y_node, branch) {
            grads.register::<Flex>(node.id, tensor(branch, size(shape)));
        }
        if let Some(node) = factors_node {
            let dfactors = buffers::Buffer::from_vec(dfactors);
            grads.register::<Flex>(node.id, tensor(dfactors, [shape.channels]));
        }
    }
}
