//! Operations of one input: pooling and activations.

use std::sync::Arc;

use burn::backend::Flex;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::NoCheckpointing;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::flex::FlexTensor;
use burn::tensor::Tensor;

use super::{Place, checked, from_plain, from_tracked, place, plain, tracked};
use crate::ops::memory::{Values, tensor};
use crate::ops::{Activation, MaxPool};
use crate::pool::{self, Activations};
use crate::profile::{Cost, timed};
use crate::{Isa, activation, buffers, global_pool};

/// What an operation saves for its gradient.
#[derive(Clone, Debug)]
enum State {
    /// The pixel with the maximum in each window.
    MaxPool(pool::MaxPool, Activations, Arc<Vec<u8>>),
    /// The pixel with the maximum in each channel.
    ConcatPool(Activations, Arc<Vec<u32>>),
    MeanPool(Activations),
    MeanWindows(pool::MeanPool, Activations),
    /// The output or the input.
    Activation(Activation, Activations, Values),
}

pub(in crate::ops) fn max_pool(x: &Tensor<4>, pool: MaxPool) -> Option<Tensor<4>> {
    let input = activations(x);
    let pool = pool::MaxPool {
        kernel: [pool.kernel; 2],
        stride: [pool.stride; 2],
        padding: [pool.padding; 2],
        ceil_mode: pool.ceil_mode,
    };
    let output = pool.output(&input).ok()?;
    unary(x, ("max pool", 1), |x, training| {
        let mut y = buffers::take(output.elements());
        let mut argmax = training.then(|| vec![0; output.elements()]);
        checked(pool::max_pool(
            Isa::detect(),
            &pool,
            &input,
            x.slice(),
            &mut y,
            argmax.as_deref_mut(),
        ));
        let state = State::MaxPool(pool, input, Arc::new(argmax.unwrap_or_default()));
        (tensor(y, size(&output)), state)
    })
}

pub(in crate::ops) fn concat_pool(x: &Tensor<4>) -> Option<Tensor<4>> {
    let input = activations(x);
    unary(x, ("concat pool", 1), |x, _training| {
        let mut y = buffers::take(2 * input.batch * input.channels);
        let mut argmax = vec![0; input.batch * input.channels];
        checked(global_pool::concat_pool(
            Isa::detect(),
            &input,
            x.slice(),
            &mut y,
            &mut argmax,
        ));
        let y = tensor(y, [input.batch, 1, 1, 2 * input.channels]);
        (y, State::ConcatPool(input, Arc::new(argmax)))
    })
}

pub(in crate::ops) fn mean_pool(x: &Tensor<4>) -> Option<Tensor<4>> {
    let input = activations(x);
    unary(x, ("mean pool", 1), |x, _training| {
        let mut y = buffers::take(input.batch * input.channels);
        checked(global_pool::mean_pool(
            Isa::detect(),
            &input,
            x.slice(),
            &mut y,
        ));
        let y = tensor(y, [input.batch, 1, 1, input.channels]);
        (y, State::MeanPool(input))
    })
}

pub(in crate::ops) fn mean_windows(x: &Tensor<4>, pool: pool::MeanPool) -> Option<Tensor<4>> {
    let input = activations(x);
    let output = pool.output(&input).ok()?;
    unary(x, ("mean over windows", 1), |x, _training| {
        let mut y = buffers::take(output.elements());
        let isa = Isa::detect();
        checked(pool::mean_windows(isa, &pool, &input, x.slice(), &mut y));
        (tensor(y, size(&output)), State::MeanWindows(pool, input))
    })
}

pub(in crate::ops) fn activate(x: &Tensor<4>, function: Activation) -> Option<Tensor<4>> {
    let input = activations(x);
    unary(x, (names(function)[0], 2), |x, _training| {
        let mut y = buffers::take(input.elements());
        checked(activation::activate(
            Isa::detect(),
            function,
            x.slice(),
            &mut y,
        ));
        let y = tensor(y, size(&input));
        let saved = if function.saves_output() {
            Values::new(y.clone())
        } else {
            x.clone()
        };
        (y, State::Activation(function, input, saved))
    })
}

/// The names of a function and of its gradient, for a profile.
fn names(function: Activation) -> [&'static str; 2] {
    match function {
        Activation::Relu => ["relu", "relu, gradient"],
        Activation::Relu6 => ["relu6", "relu6, gradient"],
        Activation::Silu => ["silu", "silu, gradient"],
        Activation::HardSwish => ["hard-swish", "hard-swish, gradient"],
        Activation::HardSigmoid => ["hard-sigmoid", "hard-sigmoid, gradient"],
        Activation::Sigmoid => ["sigmoid", "sigmoid, gradient"],
        Activation::Gelu => ["gelu", "gelu, gradient"],
    }
}

/// The cost of an operation that reads or writes its input this many times.
pub(super) fn cost(shape: &Activations, passes: usize) -> Cost {
    let Activations {
        batch,
        height,
        width,
        channels,
    } = shape;
    Cost {
        shape: format!("{batch}x{height}x{width} {channels}"),
        flops: 0.0,
        values: passes * shape.elements(),
    }
}

/// Runs an operation of one input, with its name and number of passes over that input. `forward` is
/// told whether its saved state will be used.
fn unary(
    x: &Tensor<4>,
    (kernel, passes): (&'static str, usize),
    forward: impl FnOnce(&Values, bool) -> (FlexTensor, State),
) -> Option<Tensor<4>> {
    let shape = activations(x);
    let forward =
        |x: &Values, training| timed(kernel, || cost(&shape, passes), || forward(x, training));
    match place(x)? {
        Place::Plain => {
            let x = plain(x.clone())?;
            Some(from_plain(forward(&x, false).0))
        }
        Place::Autodiff => {
            let x = tracked(x.clone())?;
            let step = UnaryStep.prepare::<NoCheckpointing>([x.node()]);
            let x = Values::new(x.into_primitive());
            Some(from_tracked(match step.compute_bound().stateful() {
                OpsKind::Tracked(step) => {
                    let (y, state) = forward(&x, true);
                    step.finish(state, y)
                }
                OpsKind::UnTracked(step) => step.finish(forward(&x, false).0),
            }))
        }
    }
}

#[derive(Debug)]
struct UnaryStep;

impl Backward<Flex, 1> for UnaryStep {
    type State = State;

    fn backward(self, ops: Ops<State, 1>, grads: &mut Gradients, _checkpointer: &mut Checkpointer) {
        let dy = Values::new(grads.consume::<Flex>(&ops.node));
        let [Some(node)] = ops.parents else {
            return;
        };
        let (isa, dy) = (Isa::detect(), dy.slice());
        let (kernel, input, passes) = match &ops.state {
            State::MaxPool(_, input, _) => ("max pool, gradient", *input, 1),
            State::ConcatPool(input, _) => ("concat pool, gradient", *input, 1),
            State::MeanPool(input) => ("mean pool, gradient", *input, 1),
            State::MeanWindows(_, input) => ("mean over windows, gradient", *input, 1),
            State::Activation(function, input, _) => (names(*function)[1], *input, 3),
        };
        let mut dx = buffers::take(input.elements());
        let backward = || match &ops.state {
            State::MaxPool(pool, input, argmax) => {
                pool::max_pool_backward(isa, pool, input, dy, argmax, &mut dx)
            }
            State::ConcatPool(input, argmax) => {
                global_pool::concat_pool_backward(isa, input, dy, argmax, &mut dx)
            }
            State::MeanPool(input) => global_pool::mean_pool_backward(isa, input, dy, &mut dx),
            State::MeanWindows(pool, input) => {
                pool::mean_windows_backward(isa, pool, input, dy, &mut dx)
            }
            State::Activation(function, _, saved) => {
                activation::activate_backward(isa, *function, saved.slice(), dy, &mut dx)
            }
        };
        checked(timed(kernel, || cost(&input, passes), backward));
        grads.register::<Flex>(node.id, tensor(dx, size(&input)));
    }
}

pub(super) fn activations(x: &Tensor<4>) -> Activations {
    let [batch, height, width, channels] = x.dims();
    Activations {
        batch,
        height,
        width,
        channels,
    }
}

pub(super) fn size(shape: &Activations) -> [usize; 4] {
    [shape.batch, shape.height, shape.width, shape.channels]
}
