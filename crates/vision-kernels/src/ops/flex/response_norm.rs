//! Global response normalization.

use std::sync::Arc;

use burn::backend::Flex;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::NoCheckpointing;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::tensor::Tensor;

use super::pool::{activations, cost, size};
use super::{Place, checked, common, from_plain, from_tracked, place, plain, tracked};
use crate::ops::memory::{Values, tensor, vector};
use crate::profile::timed;
use crate::response_norm::ResponseNorm;
use crate::{Isa, buffers};

pub(in crate::ops) fn response_norm(
    x: &Tensor<4>,
    [scale, shift]: [&Tensor<1>; 2],
    eps: f64,
) -> Option<Tensor<4>> {
    let shape = activations(x);
    let norm = ResponseNorm { shape, eps };
    let place = common([place(x), place(scale), place(shift)])?;
    // Burn's own operations report the error.
    if [scale.dims(), shift.dims()] != [[shape.channels]; 2] {
        return None;
    }
    let forward = |x: &Values, scale: &Values, shift: &Values| {
        let mut y = buffers::take(shape.elements());
        let normalize = || {
            let affine = [scale.slice(), shift.slice()];
            checked(norm.forward(Isa::detect(), x.slice(), affine, &mut y))
        };
        let norms = timed("response norm", || cost(&shape, 3), normalize);
        (tensor(y, size(&shape)), norms)
    };
    if place == Place::Plain {
        let x = plain(x.clone())?;
        let (scale, shift) = (plain(scale.clone())?, plain(shift.clone())?);
        return Some(from_plain(forward(&x, &scale, &shift).0));
    }
    let x = tracked(x.clone())?;
    let (scale, shift) = (tracked(scale.clone())?, tracked(shift.clone())?);
    let step = NormStep.prepare::<NoCheckpointing>([x.node(), scale.node(), shift.node()]);
    let x = Values::new(x.into_primitive());
    let [scale, shift] = [scale, shift].map(|t| Values::new(t.into_primitive()));
    let (y, norms) = forward(&x, &scale, &shift);
    Some(from_tracked(match step.compute_bound().stateful() {
        OpsKind::Tracked(step) => {
            let norms = Arc::new(norms);
            let state = State {
                norm,
                x,
                scale,
                norms,
            };
            step.finish(state, y)
        }
        OpsKind::UnTracked(step) => step.finish(y),
    }))
}

#[derive(Debug)]
struct NormStep;

#[derive(Clone, Debug)]
struct State {
    norm: ResponseNorm,
    x: Values,
    scale: Values,
    norms: Arc<Vec<f32>>,
}

impl Backward<Flex, 3> for NormStep {
    type State = State;

    fn backward(self, ops: Ops<State, 3>, grads: &mut Gradients, _checkpointer: &mut Checkpointer) {
        let dy = Values::new(grads.consume::<Flex>(&ops.node));
        let State {
            norm,
            x,
            scale,
            norms,
        } = &ops.state;
        let shape = &norm.shape;
        let mut dx = buffers::take(shape.elements());
        let backward = || {
            let saved = (scale.slice(), norms.as_slice());
            checked(norm.backward(Isa::detect(), x.slice(), saved, dy.slice(), &mut dx))
        };
        let params = timed("response norm, gradient", || cost(shape, 6), backward);
        let [x_node, scale_node, shift_node] = ops.parents;
        if let Some(node) = x_node {
            grads.register::<Flex>(node.id, tensor(dx, size(shape)));
        }
        if let Some(node) = scale_node {
            grads.register::<Flex>(node.id, vector(params.scale));
        }
        if let Some(node) = shift_node {
            grads.register::<Flex>(node.id, vector(params.shift));
        }
    }
}
