//! Pooling, ReLU and ReLU6.

use std::sync::Arc;

use burn::backend::Flex;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::NoCheckpointing;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::flex::FlexTensor;
use burn::tensor::Tensor;

use super::{Place, checked, from_plain, from_tracked, place, plain, tracked};
use crate::ops::MaxPool;
use crate::ops::memory::{Values, tensor};
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
    /// The output.
    Relu(Activations, Values),
    /// The output.
    Relu6(Activations, Values),
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

pub(in crate::ops) fn relu(x: &Tensor<4>) -> Option<Tensor<4>> {
    let input = activations(x);
    unary(x, ("relu", 2), |x, _training| {
        let mut y = buffers::take(input.elements());
        checked(activation::relu(Isa::detect(), x.slice(), &mut y));
        let y = tensor(y, size(&input));
        (y.clone(), State::Relu(input, Values::new(y)))
    })
}

pub(in crate::ops) fn relu6(x: &Tensor<4>) -> Option<Tensor<4>> {
    let input = activations(x);
    unary(x, ("relu6", 2), |x, _training| {
        let mut y = buffers::take(input.elements());
        checked(activation::relu6(Isa::detect(), x.slice(), &mut y));
        let y = tensor(y, size(&input));
        (y.clone(), State::Relu6(input, Values::new(y)))
    })
}

/// The cost of an operation that reads or writes its input this many times.
fn cost(shape: &Activations, passes: usize) -> Cost {
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
            State::Relu(input, _) => ("relu, gradient", *input, 3),
            State::Relu6(input, _) => ("relu6, gradient", *input, 3),
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
            State::Relu(_, y) => activation::relu_backward(isa, y.slice(), dy, &mut dx),
            State::Relu6(_, y) => activation::relu6_backward(isa, y.slice(), dy, &mut dx),
        };
        checked(timed(kernel, || cost(&input, passes), backward));
        grads.register::<Flex>(node.id, tensor(dx, size(&input)));
    }
}

fn activations(x: &Tensor<4>) -> Activations {
    let [batch, height, width, channels] = x.dims();
    Activations {
        batch,
        height,
        width,
        channels,
    }
}

fn size(shape: &Activations) -> [usize; 4] {
    [shape.batch, shape.height, shape.width, shape.channels]
}
