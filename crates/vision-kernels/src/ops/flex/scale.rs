//! A factor for each channel of each image.

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
use crate::{Isa, buffers, channel_scale};

pub(in crate::ops) fn scale_channels(x: &Tensor<4>, factors: &Tensor<4>) -> Option<Tensor<4>> {
    let shape = activations(x);
    // Burn's own operation broadcasts other shapes, or reports the error.
    if factors.dims() != [shape.batch, 1, 1, shape.channels] {
        return None;
    }
    let forward = |x: &Values, factors: &Values| -> FlexTensor {
        let mut y = buffers::take(shape.elements());
        let scale = || {
            let isa = Isa::detect();
            channel_scale::scale_channels(isa, &shape, x.slice(), factors.slice(), &mut y)
        };
        checked(timed("channel factors", || cost(&shape, 2), scale));
        tensor(y, size(&shape))
    };
    if common([place(x), place(factors)])? == Place::Plain {
        let (x, factors) = (plain(x.clone())?, plain(factors.clone())?);
        return Some(from_plain(forward(&x, &factors)));
    }
    let (x, factors) = (tracked(x.clone())?, tracked(factors.clone())?);
    let step = ScaleStep.prepare::<NoCheckpointing>([x.node(), factors.node()]);
    let [x, factors] = [x, factors].map(|t| Values::new(t.into_primitive()));
    let y = forward(&x, &factors);
    Some(from_tracked(match step.compute_bound().stateful() {
        OpsKind::Tracked(step) => {
            let state = State { shape, x, factors };
            step.finish(state, y)
        }
        OpsKind::UnTracked(step) => step.finish(y),
    }))
}

#[derive(Debug)]
struct ScaleStep;

#[derive(Clone, Debug)]
struct State {
    shape: Activations,
    x: Values,
    factors: Values,
}

impl Backward<Flex, 2> for ScaleStep {
    type State = State;

    fn backward(self, ops: Ops<State, 2>, grads: &mut Gradients, _checkpointer: &mut Checkpointer) {
        let dy = Values::new(grads.consume::<Flex>(&ops.node));
        let State { shape, x, factors } = &ops.state;
        let [x_node, factors_node] = ops.parents;
        let mut dx = x_node.is_some().then(|| buffers::take(shape.elements()));
        let mut dfactors = vec![0.0; factors.slice().len()];
        let backward = || {
            channel_scale::scale_channels_backward(
                Isa::detect(),
                shape,
                x.slice(),
                factors.slice(),
                dy.slice(),
                dx.as_deref_mut(),
                &mut dfactors,
            )
        };
        checked(timed(
            "channel factors, gradient",
            || cost(shape, 3),
            backward,
        ));
        if let (Some(node), Some(dx)) = (x_node, dx) {
            grads.register::<Flex>(node.id, tensor(dx, size(shape)));
        }
        if let Some(node) = factors_node {
            let dfactors = buffers::Buffer::from_vec(dfactors);
            let dims = [shape.batch, 1, 1, shape.channels];
            grads.register::<Flex>(node.id, tensor(dfactors, dims));
        }
    }
}
