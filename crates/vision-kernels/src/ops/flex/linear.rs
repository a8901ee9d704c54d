//! Fully connected layers.

use burn::backend::Flex;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::NoCheckpointing;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::tensor::Tensor;

use super::{Place, checked, common, from_plain, from_tracked, place, plain, tracked};
use crate::linear::Linear;
use crate::ops::memory::{Values, tensor};
use crate::{Isa, buffers};

pub(in crate::ops) fn linear(
    x: &Tensor<2>,
    weight: &Tensor<2>,
    bias: Option<&Tensor<1>>,
) -> Option<Tensor<2>> {
    let ([batch, inputs], [outputs, columns]) = (x.dims(), weight.dims());
    let places = [place(x), place(weight)];
    let place = common(places.into_iter().chain(bias.map(place)))?;
    // Burn's own operation reports the error.
    if columns != inputs || bias.is_some_and(|bias| bias.dims() != [outputs]) {
        return None;
    }
    let layer = Linear {
        batch,
        inputs,
        outputs,
    };
    let forward = |x: &Values, w: &Values, bias: Option<&[f32]>| {
        let mut y = buffers::take(batch * outputs);
        checked(layer.forward(Isa::detect(), x.slice(), w.slice(), bias, &mut y));
        tensor(y, [batch, outputs])
    };
    if place == Place::Plain {
        let bias = match bias {
            Some(bias) => Some(plain(bias.clone())?),
            None => None,
        };
        let (x, w) = (plain(x.clone())?, plain(weight.clone())?);
        let y = forward(&x, &w, bias.as_ref().map(Values::slice));
        return Some(from_plain(y));
    }
    let (x, weight) = (tracked(x.clone())?, tracked(weight.clone())?);
    let (x_tracked, w_tracked) = (x.is_tracked(), weight.is_tracked());
    let step = LinearStep.prepare::<NoCheckpointing>([x.node(), weight.node()]);
    let [x, w] = [x, weight].map(|t| Values::new(t.into_primitive()));
    let y = forward(&x, &w, None);
    let y = from_tracked(match step.compute_bound().stateful() {
        OpsKind::Tracked(step) => {
            let state = State {
                layer,
                x: w_tracked.then_some(x),
                w: x_tracked.then_some(w),
            };
            step.finish(state, y)
        }
        OpsKind::UnTracked(step) => step.finish(y),
    });
    Some(match bias {
        Some(bias) => y + bias.clone().reshape([1, outputs]),
        None => y,
    })
}

#[derive(Debug)]
struct LinearStep;

/// Saved for each requested gradient.
#[derive(Clone, Debug)]
struct State {
    layer: Linear,
    /// For the gradient of the weights.
    x: Option<Values>,
    /// For the gradient of the input.
    w: Option<Values>,
}

impl Backward<Flex, 2> for LinearStep {
    type State = State;

    fn backward(self, ops: Ops<State, 2>, grads: &mut Gradients, _checkpointer: &mut Checkpointer) {
        let dy = Values::new(grads.consume::<Flex>(&ops.node));
        let State { layer, x, w } = &ops.state;
        let isa = Isa::detect();
        let [x_node, w_node] = ops.parents;
        if let (Some(node), Some(w)) = (x_node, w) {
            let mut dx = buffers::take(layer.batch * layer.inputs);
            checked(layer.backward_input(isa, dy.slice(), w.slice(), &mut dx));
            grads.register::<Flex>(node.id, tensor(dx, [layer.batch, layer.inputs]));
        }
        if let (Some(node), Some(x)) = (w_node, x) {
            let mut dw = buffers::take(layer.outputs * layer.inputs);
            checked(layer.backward_weight(isa, x.slice(), dy.slice(), &mut dw));
            grads.register::<Flex>(node.id, tensor(dw, [layer.outputs, layer.inputs]));
        }
    }
}
