//! Attention.

use std::sync::Arc;

use burn::backend::Flex;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::NoCheckpointing;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::tensor::Tensor;

use super::{Place, checked, from_plain, from_tracked, place, plain, tracked};
use crate::attention::Attention;
use crate::ops::memory::{Values, tensor};
use crate::profile::{Cost, timed};
use crate::{Isa, buffers};

pub(in crate::ops) fn attention(qkv: &Tensor<4>, heads: usize) -> Option<Tensor<4>> {
    let [batch, rows, tokens, channels] = qkv.dims();
    // Burn's own operations report the error.
    if rows != 1 || heads == 0 || channels % (3 * heads) != 0 {
        return None;
    }
    let attention = Attention {
        batch,
        tokens,
        heads,
        size: channels / (3 * heads),
    };
    let dims = [batch, 1, tokens, channels / 3];
    let forward = |qkv: &Values| {
        let mut y = buffers::take(dims.iter().product());
        let run = || checked(attention.forward(Isa::detect(), qkv.slice(), &mut y));
        let logs = timed("attention", || cost(&attention, 2), run);
        (tensor(y, dims), logs)
    };
    if place(qkv)? == Place::Plain {
        return Some(from_plain(forward(&plain(qkv.clone())?).0));
    }
    let qkv = tracked(qkv.clone())?;
    let step = AttentionStep.prepare::<NoCheckpointing>([qkv.node()]);
    let qkv = Values::new(qkv.into_primitive());
    let (y, logs) = forward(&qkv);
    Some(from_tracked(match step.compute_bound().stateful() {
        OpsKind::Tracked(step) => {
            let state = State {
                attention,
                qkv,
                y: Values::new(y.clone()),
                logs: Arc::new(logs),
            };
            step.finish(state, y)
        }
        OpsKind::UnTracked(step) => step.finish(y),
    }))
}

/// The cost with this many products of queries and keys.
fn cost(attention: &Attention, products: usize) -> Cost {
    let Attention {
        batch,
        tokens,
        heads,
        size,
    } = attention;
    let values = batch * tokens * heads * size;
    Cost {
        shape: format!("{batch}x{tokens} {heads}x{size}"),
        flops: 2.0 * products as f64 * values as f64 * *tokens as f64,
        values: 2 * products * values,
    }
}

#[derive(Debug)]
struct AttentionStep;

#[derive(Clone, Debug)]
struct State {
    attention: Attention,
    qkv: Values,
    y: Values,
    logs: Arc<Vec<f32>>,
}

impl Backward<Flex, 1> for AttentionStep {
    type State = State;

    fn backward(self, ops: Ops<State, 1>, grads: &mut Gradients, _checkpointer: &mut Checkpointer) {
        let dy = Values::new(grads.consume::<Flex>(&ops.node));
        let [Some(node)] = ops.parents else {
            return;
        };
        let State {
            attention,
            qkv,
            y,
            logs,
        } = &ops.state;
        let mut dqkv = buffers::take(qkv.slice().len());
        let run = || {
            let forward = (y.slice(), logs.as_slice());
            attention.backward(Isa::detect(), qkv.slice(), forward, dy.slice(), &mut dqkv)
        };
        checked(timed("attention, gradient", || cost(attention, 5), run));
        let width = 3 * attention.heads * attention.size;
        let dims = [attention.batch, 1, attention.tokens, width];
        grads.register::<Flex>(node.id, tensor(dqkv, dims));
    }
}
