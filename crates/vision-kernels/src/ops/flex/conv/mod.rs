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

use super::{Place, Slots, common, from_plain, from_tracked, place, plain, tracked};
use crate::conv::Epilogue;
use crate::ops::memory::Values;
use crate::ops::{BatchNormEval, Conv, WeightCache};

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
            let slots = cache.map(|cache| &*cache.slots);
            Some(from_plain(kind.forward(&x, &w, &epilogue, slots)))
        }
        Place::Autodiff => {
            let y = training(kind, x, weight, cache)?;
            Some(match bias {
                Some(bias) => y + bias.clone().reshape([1, 1, 1, -1]),
                None => y,
            })
        }
    }
}

/// Convolution, batch normalization with running statistics, residual and ReLU in one pass over the
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
        relu: norm.relu,
    };
    let (x, w) = (plain(x.clone())?, plain(weight.clone())?);
    let slots = cache.map(|cache| &*cache.slots);
    Some(from_plain(kind.forward(&x, &w, &epilogue, slots)))
}

fn training(
    kind: Kind,
    x: &Tensor<4>,
    weight: &Tensor<4>,
    cache: Option<&WeightCache>,
) -> Option<Tensor<4>> {
    let (x, w) = (tracked(x.clone())?, tracked(weight.clone())?);
    let (needs_dx, needs_dw) = (x.is_tracked(), w.is_tracked());
    // Weights that train change at the next step, and holding them would make that step copy them.
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
    let slots = cache.map(|cache| &*cache.slots);
    let y = kind.forward(&x, &w, &Epilogue::default(), slots);
    Some(from_tracked(match step.compute_bound().stateful() {
        OpsKind::Tracked(step) => {
            let state = ConvState {
                kind,
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

/// Saved for the gradients: the gradient of the weights needs the input, and the other way round.
#[derive(Clone, Debug)]
struct ConvState {
    kind: Kind,
    x: Option<Values>,
    w: Option<Values>,
    /// The packed weights, if any. `None` if the weights train.
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
        let ConvState { kind, x, w, slots } = ops.state;
        let dy = Values::new(grads.consume::<Flex>(&ops.node));
        if let (Some(node), Some(x)) = (w_node, x) {
            grads.register::<Flex>(node.id, kind.backward_weight(&x, &dy));
        }
        if let (Some(node), Some(w)) = (x_node, w) {
            grads.register::<Flex>(node.id, kind.backward_input(&dy, &w, slots.as_deref()));
        }
    }
}
