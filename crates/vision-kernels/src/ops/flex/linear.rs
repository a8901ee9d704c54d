//! Fully connected layers.

use burn::backend::Flex;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::NoCheckpointing;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::flex::FlexTensor;
use burn::tensor::Tensor;

use super::{Place, checked, common, from_plain, from_tracked, place, plain, tracked};
use crate::linear::Linear;
use crate::ops::Activation;
use crate::ops::memory::{Values, tensor, vector};
use crate::profile::{Cost, timed};
use crate::{Isa, bias, buffers};

pub(in crate::ops) fn linear(
    x: &Tensor<2>,
    weight: &Tensor<2>,
    bias: Option<&Tensor<1>>,
) -> Option<Tensor<2>> {
    let layer = layer(x, weight, bias)?;
    let places = [place(x), place(weight)];
    if common(places.into_iter().chain(bias.map(place)))? == Place::Plain {
        return forward_plain(layer, (x, weight), bias, None);
    }
    let (x, weight) = (tracked(x.clone())?, tracked(weight.clone())?);
    let bias = match bias {
        Some(bias) => Some(tracked(bias.clone())?),
        None => None,
    };
    let (x_tracked, w_tracked) = (x.is_tracked(), weight.is_tracked());
    // A node per input. Without a bias the third is the input again, and gets no gradient.
    let third = bias.as_ref().map_or_else(|| x.node(), |bias| bias.node());
    let step = LinearStep.prepare::<NoCheckpointing>([x.node(), weight.node(), third]);
    let [x, w] = [x, weight].map(|t| Values::new(t.into_primitive()));
    let bias = bias.map(|bias| Values::new(bias.into_primitive()));
    let y = forward(layer, &x, &w, bias.as_ref(), None);
    Some(from_tracked(match step.compute_bound().stateful() {
        OpsKind::Tracked(step) => {
            let state = State {
                layer,
                x: w_tracked.then_some(x),
                w: x_tracked.then_some(w),
                has_bias: bias.is_some(),
            };
            step.finish(state, y)
        }
        OpsKind::UnTracked(step) => step.finish(y),
    }))
}

/// Without gradients.
pub(in crate::ops) fn linear_activation(
    x: &Tensor<2>,
    weight: &Tensor<2>,
    bias: Option<&Tensor<1>>,
    activation: Activation,
) -> Option<Tensor<2>> {
    let layer = layer(x, weight, bias)?;
    let places = [place(x), place(weight)];
    if common(places.into_iter().chain(bias.map(place)))? != Place::Plain {
        return None;
    }
    forward_plain(layer, (x, weight), bias, Some(activation))
}

/// The sizes, if they fit together. Burn's own operation reports the error otherwise.
fn layer(x: &Tensor<2>, weight: &Tensor<2>, bias: Option<&Tensor<1>>) -> Option<Linear> {
    let ([batch, inputs], [outputs, columns]) = (x.dims(), weight.dims());
    let fits = columns == inputs && bias.is_none_or(|bias| bias.dims() == [outputs]);
    fits.then_some(Linear {
        batch,
        inputs,
        outputs,
    })
}

fn forward(
    layer: Linear,
    x: &Values,
    w: &Values,
    bias: Option<&Values>,
    activation: Option<Activation>,
) -> FlexTensor {
    let mut y = buffers::take(layer.batch * layer.outputs);
    let (isa, bias) = (Isa::detect(), bias.map(Values::slice));
    let (x, w) = (x.slice(), w.slice());
    timed("linear", cost(layer), || {
        checked(layer.forward_activated(isa, x, w, bias, activation, &mut y));
    });
    tensor(y, [layer.batch, layer.outputs])
}

/// Each of the three products has the same sizes.
fn cost(layer: Linear) -> impl FnOnce() -> Cost {
    let Linear {
        batch,
        inputs,
        outputs,
    } = layer;
    move || Cost {
        shape: format!("{batch} {inputs}->{outputs}"),
        flops: 2.0 * batch as f64 * inputs as f64 * outputs as f64,
        values: batch * inputs + inputs * outputs + batch * outputs,
    }
}

fn forward_plain(
    layer: Linear,
    (x, weight): (&Tensor<2>, &Tensor<2>),
    bias: Option<&Tensor<1>>,
    activation: Option<Activation>,
) -> Option<Tensor<2>> {
    let bias = match bias {
        Some(bias) => Some(plain(bias.clone())?),
        None => None,
    };
    let (x, w) = (plain(x.clone())?, plain(weight.clone())?);
    Some(from_plain(forward(
        layer,
        &x,
        &w,
        bias.as_ref(),
        activation,
    )))
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
    has_bias: bool,
}

impl Backward<Flex, 3> for LinearStep {
    type State = State;

    fn backward(self, ops: Ops<State, 3>, grads: &mut Gradients, _checkpointer: &mut Checkpointer) {
        let dy = Values::new(grads.consume::<Flex>(&ops.node));
        let State {
            layer,
            x,
            w,
            has_bias,
        } = &ops.state;
        let isa = Isa::detect();
        let [x_node, w_node, bias_node] = ops.parents;
        if let (Some(node), Some(w)) = (x_node, w) {
            let mut dx = buffers::take(layer.batch * layer.inputs);
            let (dy, w) = (dy.slice(), w.slice());
            timed("linear, gradient of input", cost(*layer), || {
                checked(layer.backward_input(isa, dy, w, &mut dx));
            });
            grads.register::<Flex>(node.id, tensor(dx, [layer.batch, layer.inputs]));
        }
        if let (Some(node), Some(x)) = (w_node, x) {
            let mut dw = buffers::take(layer.outputs * layer.inputs);
            let (x, dy) = (x.slice(), dy.slice());
            timed("linear, gradient of weights", cost(*layer), || {
                checked(layer.backward_weight(isa, x, dy, &mut dw));
            });
            grads.register::<Flex>(node.id, tensor(dw, [layer.outputs, layer.inputs]));
        }
        if let Some(node) = bias_node.filter(|_| *has_bias) {
            let mut dbias = vec![0.0; layer.outputs];
            checked(bias::backward(isa, dy.slice(), &mut dbias));
            grads.register::<Flex>(node.id, vector(dbias));
        }
    }
}
