//! Layer normalization.

use std::sync::Arc;

use burn::backend::Flex;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::NoCheckpointing;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::tensor::Tensor;

use super::pool::{activations, cost, size};
use super::{Place, checked, common, from_plain, from_tracked, place, plain, tracked};
use crate::layer_norm::{LayerNorm, PixelStats};
use crate::ops::memory::{Values, tensor, vector};
use crate::pool::Activations;
use crate::profile::timed;
use crate::{Isa, buffers};

pub(in crate::ops) fn layer_norm(
    x: &Tensor<4>,
    [gamma, beta]: [&Tensor<1>; 2],
    eps: f64,
) -> Option<Tensor<4>> {
    let shape = activations(x);
    let norm = LayerNorm {
        channels: shape.channels,
        eps: eps as f32,
    };
    let place = common([place(x), place(gamma), place(beta)])?;
    // Burn's own operations report the error.
    if [gamma.dims(), beta.dims()] != [[shape.channels]; 2] {
        return None;
    }
    let forward = |x: &Values, gamma: &Values, beta: &Values| {
        let mut y = buffers::take(shape.elements());
        let normalize = || {
            let affine = [gamma.slice(), beta.slice()];
            checked(norm.forward(Isa::detect(), x.slice(), affine, &mut y))
        };
        let stats = timed("layer norm", || cost(&shape, 2), normalize);
        (tensor(y, size(&shape)), stats)
    };
    if place == Place::Plain {
        let x = plain(x.clone())?;
        let (gamma, beta) = (plain(gamma.clone())?, plain(beta.clone())?);
        return Some(from_plain(forward(&x, &gamma, &beta).0));
    }
    let x = tracked(x.clone())?;
    let (gamma, beta) = (tracked(gamma.clone())?, tracked(beta.clone())?);
    let step = NormStep.prepare::<NoCheckpointing>([x.node(), gamma.node(), beta.node()]);
    let x = Values::new(x.into_primitive());
    let [gamma, beta] = [gamma, beta].map(|t| Values::new(t.into_primitive()));
    let (y, stats) = forward(&x, &gamma, &beta);
    Some(from_tracked(match step.compute_bound().stateful() {
        OpsKind::Tracked(step) => {
            let state = State {
                norm,
                shape,
                x,
                gamma,
                stats: Arc::new(stats),
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
    norm: LayerNorm,
    shape: Activations,
    x: Values,
    gamma: Values,
    stats: Arc<PixelStats>,
}

impl Backward<Flex, 3> for NormStep {
    type State = State;

    fn backward(self, ops: Ops<State, 3>, grads: &mut Gradients, _checkpointer: &mut Checkpointer) {
        let dy = Values::new(grads.consume::<Flex>(&ops.node));
        let State {
            norm,
            shape,
            x,
            gamma,
            stats,
        } = &ops.state;
        let mut dx = buffers::take(shape.elements());
        let backward = || {
            let (isa, dy) = (Isa::detect(), dy.slice());
            checked(norm.backward(isa, x.slice(), gamma.slice(), stats, dy, &mut dx))
        };
        let params = timed("layer norm, gradient", || cost(shape, 3), backward);
        let [x_node, gamma_node, beta_node] = ops.parents;
        if let Some(node) = x_node {
            grads.register::<Flex>(node.id, tensor(dx, size(shape)));
        }
        if let Some(node) = gamma_node {
            grads.register::<Flex>(node.id, vector(params.gamma));
        }
        if let Some(node) = beta_node {
            grads.register::<Flex>(node.id, vector(params.beta));
        }
    }
}
