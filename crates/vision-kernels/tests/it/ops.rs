//! The kernels as operations on Burn's tensors: they compute the same as Burn's own operations,
//! forward and backward.

use burn::tensor::activation::{gelu, relu, relu6, sigmoid, softmax};
use burn::tensor::module::{avg_pool2d, batch_norm, batch_norm_train, max_pool2d};
use burn::tensor::ops::{AvgPoolOptions, ConvOptions, MaxPoolOptions};
use burn::tensor::{Device, Tensor, TensorData};
use proptest::prelude::*;
use vision_kernels::ops::{
    self, Activation, BatchNormEval, Conv, MaxPool, MeanPool, Padding, WeightCache,
};

use crate::support::{Random, close, wide};

fn device(autodiff: bool) -> Device {
    let device = Device::flex();
    if autodiff { device.autodiff() } else { device }
}

/// A tensor that tracks gradients.
fn random<const D: usize>(seed: u64, shape: [usize; D], device: &Device) -> Tensor<D> {
    let values = Random(seed).values(shape.iter().product());
    let tensor = Tensor::from_data(TensorData::new(values, shape), device);
    if device.is_autodiff() {
        tensor.require_grad()
    } else {
        tensor
    }
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_to_vec().unwrap()
}

#[track_caller]
fn same<const D: usize>(what: &str, ours: Tensor<D>, burns: Tensor<D>) {
    assert_eq!(ours.dims(), burns.dims(), "{what}");
    close(what, &values(ours), &wide(&values(burns)), 2e-5);
}

fn first(x: Tensor<4>) -> Tensor<4> {
    x.permute([0, 3, 1, 2])
}

fn last(x: Tensor<4>) -> Tensor<4> {
    x.permute([0, 2, 3, 1])
}

/// Compares outputs, and the gradients with respect to `inputs` of the sum of the outputs times
/// fixed weights.
#[track_caller]
fn compare<const N: usize>(
    what: &str,
    inputs: [Tensor<4>; N],
    ours: impl Fn([Tensor<4>; N]) -> Tensor<4>,
    burns: impl Fn([Tensor<4>; N]) -> Tensor<4>,
) {
    let (a, b) = (ours(inputs.clone()), burns(inputs.clone()));
    let weights = random(99, a.dims(), &device(true)).detach();
    let grads = |y: Tensor<4>| (y * weights.clone()).sum().backward();
    let (ours, burns) = (grads(a.clone()), grads(b.clone()));
    same(what, a, b);
    for (i, input) in inputs.iter().enumerate() {
        let (a, b) = (input.grad(&ours).unwrap(), input.grad(&burns).unwrap());
        same(&format!("{what}: gradient {i}"), a, b);
    }
}

#[test]
fn convolutions_are_burns_with_and_without_gradients() {
    for (shape, k, conv) in [
        ([2, 7, 9, 5], 3, [1, 1, 1, 1]),
        ([1, 8, 8, 64], 3, [1, 1, 1, 1]),
        ([3, 9, 6, 3], 7, [2, 3, 1, 1]),
        ([2, 5, 5, 40], 1, [2, 0, 1, 1]),
        // One channel per group, also with dilation: a kernel of its own.
        ([2, 7, 6, 33], 3, [2, 1, 33, 1]),
        ([2, 7, 6, 33], 3, [1, 2, 33, 2]),
        // Groups of channels.
        ([2, 6, 6, 8], 3, [1, 1, 4, 1]),
        ([2, 9, 7, 24], 3, [2, 1, 3, 1]),
        // Dilation: Burn's own operation behind the same function.
        ([2, 7, 8, 5], 3, [1, 2, 1, 2]),
    ] {
        let [stride, padding, groups, dilation] = conv;
        let conv = Conv {
            stride,
            padding: padding.into(),
            groups,
            dilation,
        };
        let options = ConvOptions::new([stride; 2], [padding; 2], [dilation; 2], groups);
        let w_shape = [33 - 33 % groups, shape[3] / groups, k, k];
        let burns = |x, w| {
            last(burn::tensor::module::conv2d(
                first(x),
                w,
                None,
                options.clone(),
            ))
        };
        let inputs = |autodiff| {
            let device = device(autodiff);
            [random(1, shape, &device), random(2, w_shape, &device)]
        };
        compare(
            "convolution",
            inputs(true),
            |[x, w]| ops::conv2d(x, w, None, conv, None),
            |[x, w]| burns(x, w),
        );
        let [x, w] = inputs(true);
        let bias = random(3, [1, 1, 1, w_shape[0]], &device(true));
        compare(
            "convolution with a bias",
            [x, w, bias],
            |[x, w, bias]| ops::conv2d(x, w, Some(bias.reshape([-1])), conv, None),
            |[x, w, bias]| burns(x, w) + bias,
        );
        let [x, w] = inputs(false);
        let bias = random(3, [w_shape[0]], &device(false));
        let expected = burns(x.clone(), w.clone()) + bias.clone().reshape([1, 1, 1, -1]);
        let sigmoids = ops::conv2d_activation(
            x.clone(),
            w.clone(),
            Some(bias.clone()),
            conv,
            Activation::Sigmoid,
            None,
        );
        same(
            "with a bias and a sigmoid",
            sigmoids,
            sigmoid(expected.clone()),
        );
        same(
            "with a bias",
            ops::conv2d(x, w, Some(bias), conv, None),
            expected,
        );
    }
}

#[test]
fn a_frozen_weight_or_input_gets_no_gradient_and_the_other_does() {
    let device = device(true);
    let (x, w) = (
        random(1, [2, 6, 6, 4], &device),
        random(2, [8, 4, 3, 3], &device),
    );
    let conv = Conv {
        padding: 1.into(),
        ..Conv::default()
    };
    let grads = ops::conv2d(x.clone(), w.clone().detach(), None, conv, None)
        .sum()
        .backward();
    assert!(x.grad(&grads).is_some() && w.grad(&grads).is_none());
    let grads = ops::conv2d(x.clone().detach(), w.clone(), None, conv, None)
        .sum()
        .backward();
    assert!(x.grad(&grads).is_none() && w.grad(&grads).is_some());
}

#[test]
fn batch_norm_with_residual_and_relu_is_the_chain_of_burns_operations() {
    let device = device(true);
    let shape = [3, 4, 5, 18];
    let affine = |seed| random(seed, [1, 1, 1, 18], &device);
    let flat = |t: Tensor<4>| t.reshape([18]);
    let inputs = || {
        [
            random(1, shape, &device),
            affine(2),
            affine(3),
            random(4, shape, &device),
        ]
    };
    for on in [false, true] {
        let rectify = |y| if on { relu(y) } else { y };
        let activation = on.then_some(Activation::Relu);
        compare(
            "of the batch, with a residual",
            inputs(),
            |[x, g, b, r]| {
                ops::batch_norm_training(x, [flat(g), flat(b)], 1e-5, Some(r), activation).output
            },
            |[x, g, b, r]| {
                rectify(last(batch_norm_train(first(x), flat(g), flat(b), 1e-5).output) + r)
            },
        );
        let [x, g, b, _] = inputs();
        compare(
            "of the batch",
            [x, g, b],
            |[x, g, b]| {
                ops::batch_norm_training(x, [flat(g), flat(b)], 1e-5, None, activation).output
            },
            |[x, g, b]| {
                rectify(last(
                    batch_norm_train(first(x), flat(g), flat(b), 1e-5).output,
                ))
            },
        );
        let plain = Device::flex();
        let (mean, variance) = (random(5, [18], &plain), random(6, [18], &plain).abs() + 0.1);
        let lifted = |t: &Tensor<1>| Tensor::from_inner(t.clone());
        compare(
            "with fixed statistics",
            inputs(),
            |[x, g, b, r]| {
                let norm = BatchNormEval {
                    gamma: flat(g),
                    beta: flat(b),
                    mean: lifted(&mean),
                    variance: lifted(&variance),
                    eps: 1e-5,
                    activation,
                };
                ops::batch_norm_eval(x, norm, Some(r))
            },
            |[x, g, b, r]| {
                let (mean, variance) = (lifted(&mean), lifted(&variance));
                rectify(last(batch_norm(first(x), flat(g), flat(b), mean, variance, 1e-5)) + r)
            },
        );
    }
}

#[test]
fn the_statistics_of_the_batch_are_burns_and_have_no_gradient() {
    let device = device(true);
    let x = random(1, [3, 4, 5, 18], &device);
    let (gamma, beta) = (random(2, [18], &device), random(3, [18], &device));
    let ours = ops::batch_norm_training(
        x.clone(),
        [gamma.clone(), beta.clone()],
        1e-5,
        None,
        Some(Activation::Relu),
    );
    let burns = batch_norm_train(first(x), gamma, beta, 1e-5);
    assert!(!ours.mean.is_require_grad());
    same("mean", ours.mean, burns.mean);
    same("variance", ours.variance, burns.variance);
}

#[test]
fn a_convolution_with_a_folded_batch_norm_is_both_in_turn() {
    let plain = device(false);
    let channel = |seed| random(seed, [20], &plain);
    let (x, w) = (
        random(1, [2, 6, 6, 8], &plain),
        random(2, [20, 8, 3, 3], &plain),
    );
    let residual = random(3, [2, 3, 3, 20], &plain);
    let norm = BatchNormEval {
        gamma: channel(4),
        beta: channel(5),
        mean: channel(6),
        variance: channel(7).abs() + 0.1,
        eps: 1e-5,
        activation: Some(Activation::Relu),
    };
    let conv = Conv {
        stride: 2,
        padding: 1.into(),
        ..Conv::default()
    };
    let in_turn = ops::batch_norm_eval(
        ops::conv2d(x.clone(), w.clone(), None, conv, None),
        norm.clone(),
        Some(residual.clone()),
    );
    same(
        "folded",
        ops::conv2d_batch_norm(x, w, conv, norm, Some(residual), None),
        in_turn,
    );
}

#[test]
fn pools_and_relu_are_burns() {
    let x = || [random(1, [2, 7, 9, 20], &device(true))];
    let (kernel, stride, padding, ceil_mode) = (3, 2, 1, false);
    let pool = MaxPool {
        kernel,
        stride,
        padding,
        ceil_mode,
    };
    let options = MaxPoolOptions::new([3, 3])
        .with_stride([2, 2])
        .with_padding([1, 1]);
    compare(
        "maximum",
        x(),
        |[x]| ops::max_pool(x, pool),
        |[x]| last(max_pool2d(first(x), options.clone())),
    );
    for ceil_mode in [false, true] {
        let options = AvgPoolOptions::new([2, 2])
            .with_stride([2, 2])
            .with_ceil_mode(ceil_mode);
        compare(
            "mean of windows",
            x(),
            |[x]| ops::mean_windows(x, MeanPool { size: 2, ceil_mode }),
            |[x]| last(avg_pool2d(first(x), options.clone())),
        );
    }
    let mean = |x: Tensor<4>| x.mean_dim(1).mean_dim(2);
    compare("mean", x(), |[x]| ops::mean_pool(x), |[x]| mean(x));
    compare(
        "maximum and mean",
        x(),
        |[x]| ops::concat_pool(x),
        |[x]| Tensor::cat(vec![x.clone().max_dim(1).max_dim(2), mean(x)], 3),
    );
    compare("ReLU", x(), |[x]| ops::relu(x), |[x]| relu(x));
    compare(
        "ReLU6",
        x(),
        |[x]| ops::relu6(x * 9.0),
        |[x]| relu6(x * 9.0),
    );
    // Of Burn's hard sigmoid the slope is that of PyTorch as well: 1 / 6.
    let hard = |x: Tensor<4>| x.div_scalar(6.0).add_scalar(0.5).clamp(0.0, 1.0);
    for (function, burns) in [
        (
            Activation::Silu,
            Box::new(|x: Tensor<4>| x.clone() * sigmoid(x)) as Operation,
        ),
        (
            Activation::HardSwish,
            Box::new(move |x: Tensor<4>| x.clone() * hard(x)),
        ),
        (Activation::HardSigmoid, Box::new(hard)),
        (Activation::Sigmoid, Box::new(sigmoid)),
        (Activation::Gelu, Box::new(gelu)),
    ] {
        compare(
            &format!("{function:?}"),
            x(),
            |[x]| ops::activate(x * 5.0, function),
            |[x]| burns(x * 5.0),
        );
    }
}

#[test]
fn different_zeros_on_each_side_are_those_of_a_larger_image() {
    let padding = Padding {
        rows: [0, 1],
        columns: [2, 0],
    };
    for (groups, dilation) in [(1, 1), (12, 1), (3, 1), (1, 2)] {
        let conv = Conv {
            stride: 2,
            padding,
            groups,
            dilation,
        };
        let options = ConvOptions::new([2; 2], [0; 2], [dilation; 2], groups);
        let device = device(true);
        compare(
            "padding",
            [
                random(1, [2, 8, 9, 12], &device),
                random(2, [24, 12 / groups, 3, 3], &device),
            ],
            |[x, w]| ops::conv2d(x, w, None, conv, None),
            |[x, w]| {
                let zeros = |shape| Tensor::zeros(shape, &x.device());
                let x = Tensor::cat(vec![x.clone(), zeros([2, 1, 9, 12])], 1);
                let x = Tensor::cat(vec![Tensor::zeros([2, 9, 2, 12], &x.device()), x], 2);
                let y = burn::tensor::module::conv2d(first(x), w, None, options.clone());
                last(y)
            },
        );
    }
}

#[test]
fn layer_norm_and_channel_factors_are_the_chains_of_burns_operations() {
    let device = device(true);
    let inputs = || {
        [
            random(1, [2, 5, 6, 40], &device),
            random(2, [1, 1, 1, 40], &device),
            random(3, [1, 1, 1, 40], &device),
        ]
    };
    compare(
        "layer norm",
        inputs(),
        |[x, g, b]| ops::layer_norm(x * 3.0, [g.reshape([40]), b.reshape([40])], 1e-3),
        |[x, g, b]| {
            let x = x * 3.0;
            let centered = x.clone() - x.mean_dim(3);
            let variance = (centered.clone() * centered.clone()).mean_dim(3);
            centered / (variance + 1e-3).sqrt() * g + b
        },
    );
    let [x, _, _] = inputs();
    compare(
        "channel factors",
        [x, random(4, [2, 1, 1, 40], &device)],
        |[x, f]| ops::scale_channels(x, f),
        |[x, f]| x * f,
    );
}

#[test]
fn a_response_norm_and_its_gradients_are_those_of_burns_operations() {
    let device = device(true);
    let burns = |[x, g, b]: [Tensor<4>; 3]| {
        let norm = (x.clone() * x.clone()).sum_dim(1).sum_dim(2).sqrt();
        let relative = norm.clone() / norm.mean_dim(3).add_scalar(1e-6);
        x.clone() + x * (relative * g) + b
    };
    let vector = |seed| random(seed, [1, 1, 1, 40], &device);
    compare(
        "response norm",
        [random(1, [2, 5, 6, 40], &device), vector(2), vector(3)],
        |[x, g, b]| ops::response_norm(x, [g.reshape([40]), b.reshape([40])], 1e-6),
        burns,
    );
}

#[test]
fn a_branch_and_its_gradients_are_those_of_burns_operations() {
    let device = device(true);
    let inputs = || {
        [
            random(1, [2, 5, 6, 40], &device),
            random(2, [2, 5, 6, 40], &device),
        ]
    };
    compare(
        "branch",
        inputs(),
        |[x, y]| ops::add_branch(x, y * 2.0, None),
        |[x, y]| x + y * 2.0,
    );
    let [x, y] = inputs();
    compare(
        "branch with factors",
        [x, y, random(3, [1, 1, 1, 40], &device)],
        |[x, y, f]| ops::add_branch(x, y, Some(f.reshape([40]))),
        |[x, y, f]| x + y * f,
    );
}

#[test]
fn attention_is_the_chain_of_burns_operations() {
    let (tokens, heads, size) = (19, 3, 8);
    compare(
        "attention",
        [random(1, [2, 1, tokens, 3 * heads * size], &device(true))],
        |[x]| ops::attention(x * 2.0, heads),
        |[x]| {
            let parts = (x * 2.0).reshape([2, tokens, 3 * heads, size]);
            let [q, k, v] = [0, 1, 2].map(|part| {
                let part = parts.clone().narrow(2, part * heads, heads);
                part.permute([0, 2, 1, 3])
            });
            let scores = q.matmul(k.transpose()) / (size as f64).sqrt();
            let y = softmax(scores, 3).matmul(v).permute([0, 2, 1, 3]);
            y.reshape([2, 1, tokens, heads * size])
        },
    );
}

#[test]
fn views_of_a_tensor_are_read_in_their_own_order() {
    let device = device(false);
    let x: Tensor<4> = random(1, [5, 20, 6, 7], &device);
    let view = x
        .clone()
        .permute([3, 2, 0, 1])
        .slice([1..4, 0..6, 1..5, 2..12]);
    let copy = Tensor::from_data(view.to_data(), &device);
    same("ReLU", ops::relu(view.clone()), ops::relu(copy.clone()));
    let w: Tensor<4> = random(2, [16, 10, 3, 3], &device);
    let conv = Conv::default();
    same(
        "convolution",
        ops::conv2d(view, w.clone(), None, conv, None),
        ops::conv2d(copy, w, None, conv, None),
    );
}

type Operation = Box<dyn Fn(Tensor<4>) -> Tensor<4>>;

/// Every operation on a map with this many channels. `twist` changes the layout of its other
/// tensors.
fn operations(
    shape: [usize; 4],
    twist: fn(Tensor<4>) -> Tensor<4>,
) -> Vec<(&'static str, Operation)> {
    let channels = shape[3];
    let plain = device(false);
    let weight = |shape| Tensor::from_inner(twist(random(11, shape, &plain)));
    let affine = |seed| Tensor::from_inner(random(seed, [channels], &plain));
    let (dense, single) = (weight([17, channels, 3, 3]), weight([channels, 1, 3, 3]));
    let (residual, gamma, beta) = (weight(shape), affine(12), affine(13));
    let norm = BatchNormEval {
        gamma: gamma.clone(),
        beta: beta.clone(),
        mean: affine(14),
        variance: affine(15).abs() + 0.1,
        eps: 1e-5,
        activation: None,
    };
    let conv = Conv {
        padding: 1.into(),
        ..Conv::default()
    };
    let depthwise = Conv {
        groups: channels,
        stride: 2,
        ..conv
    };
    let (max, mean) = (
        MaxPool {
            kernel: 3,
            stride: 2,
            padding: 1,
            ceil_mode: false,
        },
        MeanPool {
            size: 2,
            ceil_mode: true,
        },
    );
    let also = residual.clone();
    let other = residual.clone();
    let function = |f| -> Operation { Box::new(move |x| ops::activate(x, f)) };
    let normalized = |f, residual: Option<Tensor<4>>| -> Operation {
        let affine = [gamma.clone(), beta.clone()];
        Box::new(move |x| {
            let affine = affine.clone();
            ops::batch_norm_training(x, affine, 1e-2, residual.clone(), Some(f)).output
        })
    };
    let normalized = [
        ("batch norm, SiLU", normalized(Activation::Silu, None)),
        ("batch norm, ReLU6", normalized(Activation::Relu6, None)),
        (
            "batch norm, residual, hard-swish",
            normalized(Activation::HardSwish, Some(other)),
        ),
    ];
    let [scale, shift, branch] = [16, 17, 19].map(affine);
    let [batch, ..] = shape;
    let factors: Tensor<4> = Tensor::from_inner(random(18, [batch, 1, 1, channels], &plain));
    let mut all: Vec<(&'static str, Operation)> = vec![
        (
            "layer norm",
            Box::new(move |x| ops::layer_norm(x, [scale.clone(), shift.clone()], 1e-1)),
        ),
        (
            "channel factors",
            Box::new(move |x| ops::scale_channels(x, factors.clone())),
        ),
        (
            "branch",
            Box::new(move |x| ops::add_branch(x.clone(), x, Some(branch.clone()))),
        ),
        (
            "convolution",
            Box::new(move |x| ops::conv2d(x, dense.clone(), None, conv, None)),
        ),
        (
            "depthwise",
            Box::new(move |x| ops::conv2d(x, single.clone(), None, depthwise, None)),
        ),
        (
            "batch norm",
            Box::new(move |x| {
                let affine = [gamma.clone(), beta.clone()];
                ops::batch_norm_training(x, affine, 1e-2, Some(residual.clone()), None).output
            }),
        ),
        (
            "batch norm with fixed statistics",
            Box::new(move |x| ops::batch_norm_eval(x, norm.clone(), Some(also.clone()))),
        ),
        ("maximum", Box::new(move |x| ops::max_pool(x, max))),
        ("mean", Box::new(ops::mean_pool)),
        ("windows", Box::new(move |x| ops::mean_windows(x, mean))),
        ("maximum and mean", Box::new(ops::concat_pool)),
        ("ReLU", Box::new(ops::relu)),
        ("ReLU6", Box::new(ops::relu6)),
        ("SiLU", function(Activation::Silu)),
        ("sigmoid", function(Activation::Sigmoid)),
        ("GELU", function(Activation::Gelu)),
        ("hard-swish", function(Activation::HardSwish)),
        ("hard-sigmoid", function(Activation::HardSigmoid)),
    ];
    all.extend(normalized);
    all
}

/// The same values in another memory order, with an offset.
fn twisted(x: Tensor<4>) -> Tensor<4> {
    let turned = x.permute([2, 3, 0, 1]);
    let before = turned.ones_like();
    let [a, ..] = turned.dims();
    let both = Tensor::cat(vec![before, turned], 0);
    both.narrow(0, a, a).permute([2, 3, 0, 1])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn inputs_and_gradients_that_lie_in_another_order_give_the_same_bits(
        seed: u64, shape in [1_usize..4, 1..8, 1..8, 1..40],
    ) {
        let device = device(true);
        let run = |operation: &Operation, twist: fn(Tensor<4>) -> Tensor<4>| {
            let x: Tensor<4> = random(seed, shape, &device);
            let y = operation(twist(x.clone() * 5.0));
            let weights = twist(random(seed ^ 1, y.dims(), &device).detach());
            // The gradient arrives in the memory order of the weights.
            let turned = y.clone().permute([3, 0, 2, 1]) * weights.permute([3, 0, 2, 1]);
            let dx = x.grad(&turned.sum().backward()).unwrap();
            (values(y), values(dx))
        };
        let plain = operations(shape, |x| x);
        for ((name, plain), (_, other)) in plain.iter().zip(&operations(shape, twisted)) {
            let (a, b) = (run(plain, |x| x), run(other, twisted));
            prop_assert_eq!(a, b, "{} of {:?}", name, shape);
        }
    }

    #[test]
    fn the_gradients_are_the_slopes_of_the_operations(
        seed: u64, shape in [1_usize..3, 1..6, 2..6, 1..20],
    ) {
        // Within a channel of an image, values are 1/2 apart and at least 1/8 away from a kink (0
        // and 6).
        const STEP: f32 = 1.0 / 128.0;
        let [batch, height, width, channels] = shape;
        let (pixels, len) = (height * width, batch * height * width * channels);
        let (mut numbers, mut x) = (Random(seed), vec![0.0; len]);
        for map in 0..batch * channels {
            let mut order: Vec<usize> = (0..pixels).collect();
            for i in (1..pixels).rev() {
                order.swap(i, (numbers.bits() % (i as u64 + 1)) as usize);
            }
            for (pixel, place) in order.into_iter().enumerate() {
                let image = map / channels * pixels;
                x[(image + pixel) * channels + map % channels] = place as f32 / 2.0 - 3.875;
            }
        }
        let device = device(true);
        let at = |x: &[f32]| Tensor::<4>::from_data(TensorData::new(x.to_vec(), shape), &device);
        for (name, operation) in operations(shape, |x| x) {
            let leaf = at(&x).require_grad();
            let y = operation(leaf.clone());
            let weights = random(seed ^ 1, y.dims(), &device).detach();
            let dx = values(leaf.grad(&(y * weights.clone()).sum().backward()).unwrap());
            let weights = wide(&values(weights));
            for _ in 0..6 {
                let i = (numbers.bits() % len as u64) as usize;
                let total = |by: f32| -> f64 {
                    let mut x = x.clone();
                    x[i] += by;
                    let y = wide(&values(operation(at(&x))));
                    y.iter().zip(&weights).map(|(y, w)| y * w).sum()
                };
                let [before, here, after] = [-STEP, 0.0, STEP].map(total);
                let slope = (after - before) / f64::from(2.0 * STEP);
                let sides = [here - before, after - here].map(|rise| rise / f64::from(STEP));
                let bend = (sides[1] - sides[0]).abs();
                let mut error = (f64::from(dx[i]) - slope).abs();
                if bend > 2e-2 * (1.0 + slope.abs()) {
                    // A kink after a batch norm, whose outputs lie anywhere: the slope is between those of its sides.
                    error = (error - bend / 2.0).max(0.0);
                }
                // Batch norm is curved; rounding, divided by the step, causes the rest.
                prop_assert!(error < 1e-2 * (1.0 + slope.abs()), "{} of {:?}: {} for {}", name, shape, dx[i], slope);
            }
        }
    }
}

#[test]
fn under_gradient_checkpointing_burns_own_operations_run_and_give_the_same() {
    let gradients = |device: Device| {
        let [x, w]: [Tensor<4>; 2] = [
            random(1, [2, 6, 5, 8], &device),
            random(2, [9, 8, 3, 3], &device),
        ];
        let [gamma, beta]: [Tensor<1>; 2] = [random(3, [9], &device), random(4, [9], &device)];
        let y = ops::conv2d(x.clone(), w.clone(), None, Conv::default(), None);
        let y =
            ops::batch_norm_training(y, [gamma.clone(), beta], 1e-5, None, Some(Activation::Relu))
                .output;
        let y = ops::concat_pool(ops::relu6(y * 3.0));
        let grads = (y.clone() * y.clone()).sum().backward();
        let [dx, dw] = [x, w].map(|leaf| values(leaf.grad(&grads).unwrap()));
        [values(y), dx, dw, values(gamma.grad(&grads).unwrap())]
    };
    let kernels = gradients(device(true));
    let burns = gradients(device(true).gradient_checkpointing());
    for (what, (kernels, burns)) in ["y", "dx", "dw", "dgamma"]
        .iter()
        .zip(kernels.iter().zip(&burns))
    {
        close(what, kernels, &wide(burns), 1e-5);
    }
}

#[test]
fn a_cache_of_packed_weights_changes_no_bit_and_notices_new_weights() {
    let conv = Conv {
        padding: 1.into(),
        ..Conv::default()
    };
    let cache = WeightCache::default();
    let plain = device(false);
    for size in [1, 8, 8, 5] {
        let x: Tensor<4> = random(size as u64, [2, size, size, 64], &plain);
        let mut w: Tensor<4> = random(7, [64, 64, 3, 3], &plain);
        for _ in 0..3 {
            let fresh = ops::conv2d(x.clone(), w.clone(), None, conv, None);
            let cached = ops::conv2d(x.clone(), w.clone(), None, conv, Some(&cache));
            assert_eq!(values(fresh), values(cached));
            // In place if no other tensor shared the old ones.
            w = w.mul_scalar(1.5);
        }
    }
    // A frozen layer in training, both passes; then it trains.
    let autodiff = device(true);
    let x: Tensor<4> = random(1, [2, 8, 8, 64], &autodiff);
    let w: Tensor<4> = random(7, [64, 64, 3, 3], &autodiff);
    for trains in [false, false, true, false] {
        let w = if trains {
            w.clone()
        } else {
            w.clone().detach()
        };
        let gradient = |cache| {
            let y = ops::conv2d(x.clone(), w.clone(), None, conv, cache);
            x.grad(&y.sum().backward()).unwrap()
        };
        assert_eq!(values(gradient(None)), values(gradient(Some(&cache))));
    }
}
