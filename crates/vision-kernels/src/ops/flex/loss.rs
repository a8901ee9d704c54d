//! Losses, per item.

use burn::backend::Flex;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::NoCheckpointing;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::tensor::{Int, Tensor};

use super::{Place, checked, from_plain, from_tracked, place, plain, tracked};
use crate::error::ShapeError;
use crate::ops::memory::{Values, tensor};
use crate::{Isa, buffers, loss};

pub(in crate::ops) fn cross_entropy(
    logits: &Tensor<2>,
    targets: &Tensor<1, Int>,
    rule: loss::CrossEntropy<'_>,
) -> Option<Tensor<1>> {
    let targets = targets.to_data().convert::<i64>();
    let targets = targets.try_to_vec::<i64>().ok()?;
    items(logits, |logits, losses, dlogits| {
        rule.run(Isa::detect(), logits, &targets, losses, dlogits)
    })
}

pub(in crate::ops) fn binary_cross_entropy(
    logits: &Tensor<2>,
    targets: &Tensor<2>,
    weights: Option<&[f32]>,
) -> Option<Tensor<1>> {
    // As in Burn for any two tensors, targets get a gradient if they track it.
    if targets.is_require_grad() {
        return None;
    }
    let targets = targets.to_data().try_to_vec::<f32>().ok()?;
    items(logits, |logits, losses, dlogits| {
        let isa = Isa::detect();
        loss::binary_cross_entropy(isa, weights, [logits, &targets], losses, dlogits)
    })
}

/// Runs a loss of logits `[items, columns]`. `forward` writes the losses and, if requested, the
/// gradients.
fn items(
    logits: &Tensor<2>,
    forward: impl Fn(&[f32], &mut [f32], Option<&mut [f32]>) -> Result<(), ShapeError>,
) -> Option<Tensor<1>> {
    let shape @ [items, columns] = logits.dims();
    match place(logits)? {
        Place::Plain => {
            let logits = plain(logits.clone())?;
            let mut losses = buffers::take(items);
            checked(forward(logits.slice(), &mut losses, None));
            Some(from_plain(tensor(losses, [items])))
        }
        Place::Autodiff => {
            let logits = tracked(logits.clone())?;
            let step = LossStep.prepare::<NoCheckpointing>([logits.node()]);
            let logits = Values::new(logits.into_primitive());
            let mut losses = buffers::take(items);
            Some(from_tracked(match step.compute_bound().stateful() {
                OpsKind::Tracked(step) => {
                    let mut dlogits = buffers::take(items * columns);
                    checked(forward(logits.slice(), &mut losses, Some(&mut dlogits)));
                    let dlogits = Values::new(tensor(dlogits, shape));
                    step.finish(dlogits, tensor(losses, [items]))
                }
                OpsKind::UnTracked(step) => {
                    checked(forward(logits.slice(), &mut losses, None));
                    step.finish(tensor(losses, [items]))
                }
            }))
        }
    }
}

#[derive(Debug)]
struct LossStep;

impl Backward<Flex, 1> for LossStep {
    /// The gradient of each item's loss.
    type State = Values;

    fn backward(
        self,
        ops: Ops<Values, 1>,
        grads: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let dlosses = Values::new(grads.consume::<Flex>(&ops.node));
        let [Some(node)] = ops.parents else {
            return;
        };
        let (dlosses, gradient) = (dlosses.slice(), ops.state.slice());
        let [items, columns] = [dlosses.len(), gradient.len() / dlosses.len().max(1)];
        let mut dlogits = buffers::take(gradient.len());
        let rows = gradient.chunks(columns.max(1)).zip(dlosses);
        for (to, (from, factor)) in dlogits.chunks_mut(columns.max(1)).zip(rows) {
            to.iter_mut()
                .zip(from)
                .for_each(|(to, from)| *to = from * factor);
        }
        grads.register::<Flex>(node.id, tensor(dlogits, [items, columns]));
    }
}
