//! Convolution.

use std::sync::Arc;

use burn::{
    backend::{
        Flex,
        autodiff::{
            checkpoint::{base::Checkpointer, strategy::NoCheckpointing},
            grads::Gradients,
            ops::{Backward, Ops, OpsKind},
        },
        flex::FlexTensor,
    },
    tensor::Tensor,
};

use super::{Place, Slots, checked, common, from_plain, from_tracked, place, plain, tracked};
use crate::{
    Isa, buffers,
    conv::{self, ConvShape, Epilogue, Pass},
    ops::{
        BatchNormEval, Conv, WeightCache, accuracy,
        memory::{Values, tensor},
    },
};

/// Convolution and bias, unless the kernels cannot take it.
pub(in crate::ops) fn conv2d(
    x: &Tensor<4>,
    weight: &Tensor<4>,
    bias: Option<&Tensor<1>>,
    conv: Conv,
    cache: Option<&WeightCache>,
) -> Option<Tensor<4>> {
    let shape = shape(x, weight, conv)?;
    match common([place(x), place(weight)].into_iter().chain(bias.map(place)))? {
        Place::Plain => {
            let bias = bias.cloned().map(plain);
            let shift = bias
                .as_ref()
                .map(|b| b.as_ref().map_or(&[][..], Values::slice));
            let epilogue = Epilogue {
                shift,
                ..Epilogue::default()
            };
            let (x, w) = (plain(x.clone())?, plain(weight.clone())?);
            Some(from_plain(forward(&shape, &x, &w, &epilogue, cache)))
        }
        Place::Autodiff => {
            let y = training(shape, x, weight, cache)?;
            Some(match bias {
                Some(bias) => y + bias.clone().reshape([1, 1, 1, -1]),
                None => y,
            })
        }
    }
}

/// Convolution, batch normalisation with running statistics, residual and ReLU in one pass over the
/// output, without gradients.
pub(in crate::ops) fn conv2d_batch_norm(
    (x, weight): (&Tensor<4>, &Tensor<4>),
    conv: Conv,
    norm: &BatchNormEval,
    residual: Option<&Tensor<4>>,
    cache: Option<&WeightCache>,
) -> Option<Tensor<4>> {
    let shape = shape(x, weight, conv)?;
    let places = [place(x), place(weight), place(&norm.gamma)];
    if common(places.into_iter().chain(residual.map(place)))? != Place::Plain {
        return None;
    }
    let [scale, shift] = norm.folded()?;
    let residual = residual.cloned().map(plain);
    let epilogue = Epilogue {
        scale: Some(&scale),
        shift: Some(&shift),
        residual: residual
            .as_ref()
            .map(|r| r.as_ref().map_or(&[][..], Values::slice)),
        relu: norm.relu,
    };
    let (x, w) = (plain(x.clone())?, plain(weight.clone())?);
    Some(from_plain(forward(&shape, &x, &w, &epilogue, cache)))
}

fn shape(x: &Tensor<4>, weight: &Tensor<4>, conv: Conv) -> Option<ConvShape> {
    let [batch, height, width, in_channels] = x.dims();
    let [out_channels, inputs, kernel, other] = weight.dims();
    let shape = ConvShape {
        batch,
        height,
        width,
        in_channels,
        out_channels,
        kernel,
        stride: conv.stride,
        padding: conv.padding,
    };
    let fits = conv.groups == 1 && inputs == in_channels && kernel == other;
    (fits && shape.output_len() > 0).then_some(shape)
}

fn forward(
    shape: &ConvShape,
    x: &Values,
    w: &Values,
    epilogue: &Epilogue<'_>,
    cache: Option<&WeightCache>,
) -> FlexTensor {
    let mut y = buffers::take(shape.output_len());
    checked(match cache {
        Some(cache) => {
            let packed = cache.slots.packed(Pass::Forward, shape, w);
            packed.and_then(|w| conv::conv2d_packed(&w, shape, x.slice(), epilogue, &mut y))
        }
        None => {
            let (isa, accuracy) = (Isa::detect(), accuracy());
            conv::conv2d(isa, accuracy, shape, x.slice(), w.slice(), epilogue, &mut y)
        }
    });
    let size = [shape.batch, shape.out_height(), shape.out_width()];
    tensor(y, [size[0], size[1], size[2], shape.out_channels])
}

fn training(
    shape: ConvShape,
    x: &Tensor<4>,
    weight: &Tensor<4>,
    cache: Option<&WeightCache>,
) -> Option<Tensor<4>> {
    let (x, w) = (tracked(x.clone())?, tracked(weight.clone())?);
    let (needs_dx, needs_dw) = (x.is_tracked(), w.is_tracked());
    // Weights that train are other ones at the next step, and holding them would make that step copy them.
    let cache = cache.filter(|cache| {
        if needs_dw {
            cache.slots.clear();
        }
        !needs_dw
    });
    let step = ConvStep.prepare::<NoCheckpointing>([x.node(), w.node()]);
    let (x, w) = (
        Values::new(x.into_primitive()),
        Values::new(w.into_primitive()),
    );
    let y = forward(&shape, &x, &w, &Epilogue::default(), cache);
    Some(from_tracked(match step.compute_bound().stateful() {
        OpsKind::Tracked(step) => {
            let state = ConvState {
                shape,
                x: needs_dw.then_some(x),
                w: needs_dx.then_some(w),
                slots: cache.map(|cache| Arc::clone(&cache.slots)),
            };
            step.finish(state, y)
        }
        OpsKind::UnTracked(step) => step.finish(y),
    }))
}

#[derive(Debug)]
struct ConvStep;

/// What the gradients need: the input for that of the weights, and the other way round.
#[derive(Clone, Debug)]
struct ConvState {
    shape: ConvShape,
    x: Option<Values>,
    w: Option<Values>,
    /// Where the weights may be packed already; none if they train.
    slots: Option<Arc<Slots>>,
}

impl Backward<Flex, 2> for ConvStep {
    type State = ConvState;

    fn backward(
        self,
        ops: Ops<ConvState, 2>,
        grads: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let [x_node, w_node] = ops.parents;
        let ConvState { shape, x, w, slots } = ops.state;
        let dy = Values::new(grads.consume::<Flex>(&ops.node));
        let (isa, accuracy) = (Isa::detect(), accuracy());
        if let (Some(node), Some(x)) = (w_node, x) {
            let mut dw = buffers::take(shape.weight_len());
            let result =
                conv::conv2d_backward_weight(isa, accuracy, &shape, x.slice(), dy.slice(), &mut dw);
            checked(result);
            let [co, ci, k] = [shape.out_channels, shape.in_channels, shape.kernel];
            grads.register::<Flex>(node.id, tensor(dw, [co, ci, k, k]));
        }
        if let (Some(node), Some(w)) = (x_node, w) {
            let mut dx = buffers::take(shape.input_len());
            let (dy, w_values) = (dy.slice(), w.slice());
            checked(match slots {
                Some(slots) => {
                    let packed = slots.packed(Pass::BackwardInput, &shape, &w);
                    packed.and_then(|w| conv::conv2d_backward_input_packed(&w, &shape, dy, &mut dx))
                }
                None => conv::conv2d_backward_input(isa, accuracy, &shape, dy, w_values, &mut dx),
            });
            let size = [shape.batch, shape.height, shape.width, shape.in_channels];
            grads.register::<Flex>(node.id, tensor(dx, size));
        }
    }
}
