//! Convolution.

mod cost;
mod kind;

use std::sync::Arc;

use burn::backend::Flex;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::NoCheckpointing;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::tensor::Tensor;
use kind::Kind;

use super::{Place, Slots, checked, common, from_plain, from_tracked, place, plain, tracked};
use crate::conv::Epilogue;
use crate::ops::memory::{Values, vector};
use crate::ops::{Activation, BatchNormEval, Conv, WeightCache};
use crate::{Isa, bias};

/// Convolution and bias, if there is a kernel for it.
pub(in crate::ops) fn conv2d(
    x: &Tensor<4>,
    weight: &Tensor<4>,
    bias: Option<&Tensor<1>>,
    conv: Conv,
    cache: Option<&WeightCache>,
) -> Option<Tensor<4>> {
    let kind = Kind::of(x.dims(), weight.dims(), conv)?;
    match common([place(x), place(weight)].into_iter().chain(bias.map(place)))? {
        Place::Plain => forward_plain(kind, (x, weight), bias, None, cache),
        Place::Autodiff => training(kind, (x, weight), bias, cache),
    }
}

/// Convolution, bias and activation in one pass over the output, without gradients.
pub(in crate::ops) fn conv2d_activation(
    (x, weight): (&Tensor<4>, &Tensor<4>),
    bias: Option<&Tensor<1>>,
    conv: Conv,
    activation: Activation,
    cache: Option<&WeightCache>,
) -> Option<Tensor<4>> {
    let kind = Kind::of(x.dims(), weight.dims(), conv)?;
    let places = [place(x), place(weight)];
    if common(places.into_iter().chain(bias.map(place)))? != Place::Plain {
        return None;
    }
    forward_plain(kind, (x, weight), bias, Some(activation), cache)
}

fn forward_plain(
    kind: Kind,
    (x, weight): (&Tensor<4>, &Tensor<4>),
    bias: Option<&Tensor<1>>,
    activation: Option<Activation>,
    cache: Option<&WeightCache>,
) -> Option<Tensor<4>> {
    let bias = bias.cloned().map(plain);
    let shift = bias
        .as_ref()
        .map(|b| b.as_ref().map_or(&[][..], Values::slice));
    let epilogue = Epilogue {
        shift,
        activation,
        ..Epilogue::default()
    };
    let (x, w) = (plain(x.clone())?, plain(weight.clone())?);
    let slots = cache.map(|cache| &*cache.slots);
    Some(from_plain(kind.forward(&x, &w, &epilogue, slots)))
}

/// Convolution, batch normalization with running statistics, residual and activation in one pass over the
/// output, without gradients.
pub(in crate::ops) fn conv2d_batch_norm(
    (x, weight): (&Tensor<4>, &Tensor<4>),
    conv: Conv,
    norm: &BatchNormEval,
    residual: Option<&Tensor<4>>,
    cache: Option<&WeightCache>,
) -> Option<Tensor<4>> {
    let kind = Kind::of(x.dims(), weight.dims(), conv)?;
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
        activation: norm.activation,
    };
    let (x, w) = (plain(x.clone())?, plain(weight.clone())?);
    let slots = cache.map(|cache| &*cache.slots);
    Some(from_plain(kind.forward(&x, &w, &epilogue, slots)))
}

fn training(
    kind: Kind,
    (x, weight): (&Tensor<4>, &Tensor<4>),
    bias: Option<&Tensor<1>>,
    cache: Option<&WeightCache>,
) -> Option<Tensor<4>> {
    let (x, w) = (tracked(x.clone())?, tracked(weight.clone())?);
    let bias = match bias {
        Some(bias) => Some(tracked(bias.clone())?),
        None => None,
    };
    let (needs_dx, needs_dw) = (x.is_tracked(), w.is_tracked());
    // Weights that train change at the next step, and holding them would make that step copy them.
    let cache = cache.filter(|cache| {
        if needs_dw {
            cache.slots.clear();
        }
        !needs_dw
    });
    // A node per input. Without a bias the third is the input again, and gets no gradient.
    let third = bias.as_ref().map_or_else(|| x.node(), |bias| bias.node());
    let step = ConvStep.prepare::<NoCheckpointing>([x.node(), w.node(), third]);
    let (x, w) = (
        Values::new(x.into_primitive()),
        Values::new(w.into_primitive()),
    );
    let bias = bias.map(|bias| Values::new(bias.into_primitive()));
    let slots = cache.map(|cache| &*cache.slots);
    let epilogue = Epilogue {
        shift: bias.as_ref().map(Values::slice),
        ..Epilogue::default()
    };
    let y = kind.forward(&x, &w, &epilogue, slots);
    Some(from_tracked(match step.compute_bound().stateful() {
        OpsKind::Tracked(step) => {
            let state = ConvState {
                kind,
                x: needs_dw.then_some(x),
                w: needs_dx.then_some(w),
                slots: cache.map(|cache| Arc::clone(&cache.slots)),
                bias: bias.map(|bias| bias.slice().len()),
            };
            step.finish(state, y)
        }
        OpsKind::UnTracked(step) => step.finish(y),
    }))
}

#[derive(Debug)]
struct ConvStep;

/// Saved for the gradients: the gradient of the weights needs the input, and the other way round.
#[derive(Clone, Debug)]
struct ConvState {
    kind: Kind,
    x: Option<Values>,
    w: Option<Values>,
    /// The packed weights, if any. `None` if the weights train.
    slots: Option<Arc<Slots>>,
    /// The length of the bias, if there is one.
    bias: Option<usize>,
}

impl Backward<Flex, 3> for ConvStep {
    type State = ConvState;

    fn backward(
        self,
        ops: Ops<ConvState, 3>,
        grads: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let [x_node, w_node, bias_node] = ops.parents;
        let ConvState {
            kind,
            x,
            w,
            slots,
            bias,
        } = ops.state;
        let dy = Values::new(grads.consume::<Flex>(&ops.node));
        if let (Some(node), Some(x)) = (w_node, x) {
            grads.register::<Flex>(node.id, kind.backward_weight(&x, &dy));
        }
        if let (Some(node), Some(w)) = (x_node, w) {
            grads.register::<Flex>(node.id, kind.backward_input(&dy, &w, slots.as_deref()));
        }
        if let (Some(node), Some(len)) = (bias_node, bias) {
            let mut dbias = vec![0.0; len];
            checked(bias::backward(Isa::detect(), dy.slice(), &mut dbias));
            grads.register::<Flex>(node.id, vector(dbias));
        }
    }
}
