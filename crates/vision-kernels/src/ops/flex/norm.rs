//! Batch normalization with residual and activation.

use std::sync::Arc;

use burn::backend::autodiff::NodeId;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::NoCheckpointing;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, NodeGuard, Ops, OpsKind};
use burn::backend::flex::FlexTensor;
use burn::backend::{Autodiff, AutodiffBackend, Flex};
use burn::tensor::Tensor;

use super::{
    Place, Tracked, activate, checked, common, from_plain, from_tracked, place, plain, tracked,
};
use crate::batch_norm::{self, BatchNorm, Forward, Shared, Stats};
use crate::ops::across::{self, Across};
use crate::ops::memory::{Values, tensor, vector};
use crate::ops::{Activation, BatchNormEval, Normalized};
use crate::profile::{Cost, timed};
use crate::{Isa, buffers};

/// The cost of a normalization that reads and writes its elements this many times.
fn cost(shape: [usize; 4], residual: bool, activation: Option<Activation>, times: usize) -> Cost {
    let [n, h, w, c] = shape;
    let residual = if residual { " residual" } else { "" };
    let function = activation.map_or_else(String::new, |f| format!(" {f:?}").to_lowercase());
    Cost {
        shape: format!("{n}x{h}x{w} {c}{residual}{function}"),
        flops: 0.0,
        values: times * n * h * w * c,
    }
}

/// The activation, if its gradient needs its input and that cannot be computed from the normalization's.
fn unfused(activation: Option<Activation>, residual: Option<&Tensor<4>>) -> Option<Activation> {
    activation.filter(|function| residual.is_some() && !function.saves_output())
}

/// With the statistics of the batch.
pub(in crate::ops) fn batch_norm_training(
    x: &Tensor<4>,
    [gamma, beta]: [&Tensor<1>; 2],
    eps: f64,
    residual: Option<&Tensor<4>>,
    activation: Option<Activation>,
) -> Option<Normalized> {
    if let Some(function) = unfused(activation, residual) {
        let normalized = batch_norm_training(x, [gamma, beta], eps, residual, None)?;
        return Some(Normalized {
            output: activate(&normalized.output, function)?,
            ..normalized
        });
    }
    let places = [place(x), place(gamma), place(beta)];
    if common(places.into_iter().chain(residual.map(place)))? != Place::Autodiff {
        return None;
    }
    let shape = x.dims();
    let args = BatchNorm {
        channels: shape[3],
        eps: eps as f32,
        activation,
    };
    let inputs = Inputs::new(x, [gamma, beta], residual)?;
    let mut y = buffers::take(inputs.x.slice().len());
    let has_residual = residual.is_some();
    let [n, h, w, _] = shape;
    let across = across::now();
    let Shared { stats, pixels } = timed(
        "batch norm",
        || {
            cost(
                shape,
                has_residual,
                activation,
                3 + usize::from(has_residual),
            )
        },
        || {
            let (isa, x) = (Isa::detect(), inputs.x.slice());
            let affine = [inputs.gamma.slice(), inputs.beta.slice()];
            let residual = inputs.residual.as_ref().map(Values::slice);
            checked(match &across {
                Some(across) => {
                    let total = |values: &mut [f64]| across.sum(values);
                    batch_norm::batch_norm_train_shared(
                        isa, &args, x, affine, residual, &mut y, &total,
                    )
                }
                None => batch_norm::batch_norm_train(isa, &args, x, affine, residual, &mut y).map(
                    |stats| Shared {
                        stats,
                        pixels: n * h * w,
                    },
                ),
            })
        },
    );
    let [mean, variance] = [&stats.mean, &stats.var_biased]
        .map(|values| from_tracked(Autodiff::<Flex>::from_inner(vector(values.clone()))));
    let y = tensor(y, shape);
    Some(Normalized {
        output: from_tracked(inputs.finish(args, stats, Of::Batch { pixels, across }, y)),
        mean,
        variance,
        count: pixels,
    })
}

/// With running statistics.
pub(in crate::ops) fn batch_norm_eval(
    x: &Tensor<4>,
    norm: &BatchNormEval,
    residual: Option<&Tensor<4>>,
) -> Option<Tensor<4>> {
    let places = [place(x), place(&norm.gamma), place(&norm.beta)];
    let common = common(places.into_iter().chain(residual.map(place)))?;
    let shape = x.dims();
    let [scale, shift] = norm.folded()?;
    let forward = |x: &Values, residual: Option<&Values>| {
        let mut y = buffers::take(x.slice().len());
        let has_residual = residual.is_some();
        timed(
            "fixed batch norm",
            || {
                cost(
                    shape,
                    has_residual,
                    norm.activation,
                    2 + usize::from(has_residual),
                )
            },
            || {
                checked(batch_norm::scale_shift(
                    Isa::detect(),
                    [&scale, &shift],
                    x.slice(),
                    residual.map(Values::slice),
                    norm.activation,
                    &mut y,
                ));
            },
        );
        tensor(y, shape)
    };
    if common == Place::Plain {
        let x = plain(x.clone())?;
        let residual = match residual {
            Some(residual) => Some(plain(residual.clone())?),
            None => None,
        };
        return Some(from_plain(forward(&x, residual.as_ref())));
    }
    if let Some(function) = unfused(norm.activation, residual) {
        let norm = BatchNormEval {
            activation: None,
            ..norm.clone()
        };
        return activate(&batch_norm_eval(x, &norm, residual)?, function);
    }
    let (stats, eps) = (norm.statistics()?, norm.eps as f32);
    let args = BatchNorm {
        channels: shape[3],
        eps,
        activation: norm.activation,
    };
    let inputs = Inputs::new(x, [&norm.gamma, &norm.beta], residual)?;
    let y = forward(&inputs.x, inputs.residual.as_ref());
    Some(from_tracked(inputs.finish(args, stats, Of::Training, y)))
}

/// The tensors of a normalization under autodiff, before its step is recorded.
struct Inputs {
    nodes: [NodeGuard; 4],
    x: Values,
    gamma: Values,
    beta: Values,
    residual: Option<Values>,
}

impl Inputs {
    fn new(
        x: &Tensor<4>,
        [gamma, beta]: [&Tensor<1>; 2],
        residual: Option<&Tensor<4>>,
    ) -> Option<Self> {
        let x = tracked(x.clone())?;
        let (gamma, beta) = (tracked(gamma.clone())?, tracked(beta.clone())?);
        let residual = match residual {
            Some(residual) => Some(tracked(residual.clone())?),
            None => None,
        };
        // A node per input. Without a residual the fourth is the input again, and gets no gradient.
        let fourth = residual.as_ref().unwrap_or(&x).node();
        Some(Self {
            nodes: [x.node(), gamma.node(), beta.node(), fourth],
            x: Values::new(x.into_primitive()),
            gamma: Values::new(gamma.into_primitive()),
            beta: Values::new(beta.into_primitive()),
            residual: residual.map(|t| Values::new(t.into_primitive())),
        })
    }

    /// Records the step that computed `y`.
    fn finish(self, args: BatchNorm, stats: Stats, of: Of, y: FlexTensor) -> Tracked {
        let step = NormStep.prepare::<NoCheckpointing>(self.nodes);
        match step.compute_bound().stateful() {
            OpsKind::Tracked(step) => {
                let has_residual = self.residual.is_some();
                // With batch statistics and no residual, what the gradient of the activation needs is computed from
                // the input, which is faster.
                let reads_y = args.activation.is_some_and(Activation::saves_output);
                let needs_y = reads_y && (has_residual || matches!(of, Of::Training));
                let state = NormState {
                    args,
                    y: needs_y.then(|| Values::new(y.clone())),
                    x: self.x,
                    gamma: self.gamma,
                    beta: self.beta,
                    stats: Arc::new(stats),
                    has_residual,
                    of,
                };
                step.finish(state, y)
            }
            OpsKind::UnTracked(step) => step.finish(y),
        }
    }
}

#[derive(Debug)]
struct NormStep;

#[derive(Clone, Debug)]
struct NormState {
    args: BatchNorm,
    x: Values,
    y: Option<Values>,
    gamma: Values,
    beta: Values,
    stats: Arc<Stats>,
    has_residual: bool,
    of: Of,
}

/// What the statistics are of.
#[derive(Clone, Debug)]
enum Of {
    /// The batch, through which the gradient then also passes.
    Batch {
        /// In all processes that share the batch.
        pixels: usize,
        across: Option<Arc<dyn Across>>,
    },
    /// Earlier batches: running statistics.
    Training,
}

impl Backward<Flex, 4> for NormStep {
    type State = NormState;

    #[expect(clippy::expect_used, reason = "the forward pass had a Tensor<4>")]
    fn backward(
        self,
        ops: Ops<NormState, 4>,
        grads: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let state = ops.state;
        let [x_node, gamma_node, beta_node, residual_node] = ops.parents;
        let residual_node = residual_node.filter(|_| state.has_residual);
        let dy = Values::new(grads.consume::<Flex>(&ops.node));
        let shape: [usize; 4] = state.x.dims().try_into().expect("a tensor of rank 4");
        let len = state.x.slice().len();
        let forward = Forward {
            x: state.x.slice(),
            y: state.y.as_ref().map(Values::slice),
            gamma: state.gamma.slice(),
            beta: state.beta.slice(),
            stats: &state.stats,
        };
        let mut dx = buffers::take(len);
        // Without an activation, the residual's gradient is that of the output.
        let mut dresidual = (residual_node.is_some() && state.args.activation.is_some())
            .then(|| buffers::take(len));
        // The sums read x and dy, which are read once more to write dx. With a residual the mask is
        // read, and the masked gradient is written.
        let masked = usize::from(state.y.is_some()) + usize::from(dresidual.is_some());
        let of_batch = matches!(state.of, Of::Batch { .. });
        let passes = if of_batch { 5 } else { 3 } + masked;
        let params = timed(
            "batch norm, gradient",
            || cost(shape, state.has_residual, state.args.activation, passes),
            || {
                let (isa, args, dy) = (Isa::detect(), &state.args, dy.slice());
                let dresidual = dresidual.as_deref_mut();
                checked(match &state.of {
                    Of::Batch {
                        pixels,
                        across: Some(across),
                    } => {
                        let total = |values: &mut [f64]| across.sum(values);
                        let whole = (*pixels, &total as batch_norm::Total<'_>);
                        batch_norm::batch_norm_backward_shared(
                            isa, args, &forward, dy, &mut dx, dresidual, whole,
                        )
                    }
                    Of::Batch { across: None, .. } => {
                        batch_norm::batch_norm_backward(isa, args, &forward, dy, &mut dx, dresidual)
                    }
                    Of::Training => batch_norm::batch_norm_eval_backward(
                        isa, args, &forward, dy, &mut dx, dresidual,
                    ),
                })
            },
        );
        let mut register = |id: NodeId, grad| grads.register::<Flex>(id, grad);
        if let Some(node) = residual_node {
            let grad = match dresidual {
                Some(grad) => tensor(grad, shape),
                None => dy.into_tensor(),
            };
            register(node.id, grad);
        }
        if let Some(node) = x_node {
            register(node.id, tensor(dx, shape));
        }
        if let Some(node) = gamma_node {
            register(node.id, vector(params.gamma));
        }
        if let Some(node) = beta_node {
            register(node.id, vector(params.beta));
        }
    }
}
