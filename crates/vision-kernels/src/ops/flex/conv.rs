//! Convolution.

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

use super::{Place, checked, common, from_plain, from_tracked, place, plain, tracked};
use crate::{
    Isa, buffers,
    conv::{self, ConvShape, Epilogue},
    ops::{
        BatchNormEval, Conv, accuracy,
        memory::{Values, tensor},
    },
};

/// Convolution and bias, unless the kernels cannot take it.
pub(in crate::ops) fn conv2d(
    x: &Tensor<4>,
    weight: &Tensor<4>,
    bias: Option<&Tensor<1>>,
    conv: Conv,
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
            Some(from_plain(forward(&shape, &x, &w, &epilogue)))
        }
        Place::Autodiff => {
            let y = training(shape, x, weight)?;
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
    x: &Tensor<4>,
    weight: &Tensor<4>,
    conv: Conv,
    norm: &BatchNormEval,
    residual: Option<&Tensor<4>>,
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
    Some(from_plain(forward(&shape, &x, &w, &epilogue)))
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

fn forward(shape: &ConvShape, x: &Values, w: &Values, epilogue: &Epilogue<'_>) -> FlexTensor {
    let mut y = buffers::take(shape.output_len());
    let (isa, accuracy) = (Isa::detect(), accuracy());
    checked(conv::conv2d(
        isa,
        accuracy,
        shape,
        x.slice(),
        w.slice(),
        epilogue,
        &mut y,
    ));
    let size = [shape.batch, shape.out_height(), shape.out_width()];
    tensor(y, [size[0], size[1], size[2], shape.out_channels])
}

fn training(shape: ConvShape, x: &Tensor<4>, weight: &Tensor<4>) -> Option<Tensor<4>> {
    let (x, w) = (tracked(x.clone())?, tracked(weight.clone())?);
    let (needs_dx, needs_dw) = (x.is_tracked(), w.is_tracked());
    let step = ConvStep.prepare::<NoCheckpointing>([x.node(), w.node()]);
    let (x, w) = (
        Values::new(x.into_primitive()),
        Values::new(w.into_primitive()),
    );
    let y = forward(&shape, &x, &w, &Epilogue::default());
    Some(from_tracked(match step.compute_bound().stateful() {
        OpsKind::Tracked(step) => {
            let state = ConvState {
                shape,
                x: needs_dw.then_some(x),
                w: needs_dx.then_some(w),
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
        let ConvState { shape, x, w } = ops.state;
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
            let result =
                conv::conv2d_backward_input(isa, accuracy, &shape, dy.slice(), w.slice(), &mut dx);
            checked(result);
            let size = [shape.batch, shape.height, shape.width, shape.in_channels];
            grads.register::<Flex>(node.id, tensor(dx, size));
        }
    }
}
