//! The same operations composed of Burn's own, for devices and shapes without a kernel.
//!
//! Burn's operations expect channels in dimension 1. The permutations are views, and two
//! consecutive ones cancel out, so nothing is copied between two such operations.

use std::f64::consts::FRAC_1_SQRT_2;

use burn::tensor::activation::{log_sigmoid, log_softmax, relu, relu6, sigmoid, softmax};
use burn::tensor::module::{avg_pool2d, batch_norm, batch_norm_train, max_pool2d};
use burn::tensor::ops::{AvgPoolOptions, ConvOptions, MaxPoolOptions};
use burn::tensor::{DType, Device, Int, Tensor, TensorData, s};

use super::sums;
use super::{Activation, BatchNormEval, Conv, MaxPool, MeanPool, Normalized, Padding};
use crate::adam::Adam;

/// Packs four bytes into one integer, since not every device supports smaller integers, and unpacks them on the device.
pub(super) fn images_of_bytes(
    bytes: &[u8],
    shape: [usize; 4],
    stats: [[f32; 3]; 2],
    device: &Device,
) -> Tensor<4> {
    let words: Vec<i32> = bytes
        .chunks(4)
        .map(|bytes| {
            let mut word = [0; 4];
            for (to, &from) in word.iter_mut().zip(bytes) {
                *to = from;
            }
            i32::from_le_bytes(word)
        })
        .collect();
    let count = words.len();
    let words = Tensor::<1, Int>::from_data(TensorData::new(words, [count]), device);
    let apart = [0, 8, 16, 24].map(|shift| {
        // The right shift fills with the sign bit, which the mask removes.
        let byte = words.clone().bitwise_right_shift_scalar(shift);
        byte.bitwise_and_scalar(0xFF)
    });
    let units = Tensor::stack::<2>(apart.to_vec(), 1)
        .flatten::<1>(0, 1)
        .slice(s![0..bytes.len()])
        .reshape(shape)
        .float()
        .div_scalar(255.0);
    let [mean, deviation] = stats.map(|values| {
        let values = Tensor::<1>::from_floats(values, device);
        values.reshape([1, 3, 1, 1])
    });
    (units - mean) / deviation
}

pub(super) fn to_channels_first(x: Tensor<4>) -> Tensor<4> {
    x.permute([0, 3, 1, 2])
}

pub(super) fn to_channels_last(x: Tensor<4>) -> Tensor<4> {
    x.permute([0, 2, 3, 1])
}

pub(super) fn conv2d(
    x: Tensor<4>,
    weight: Tensor<4>,
    bias: Option<Tensor<1>>,
    conv: Conv,
) -> Tensor<4> {
    let (x, padding) = match conv.padding.uniform() {
        Some(padding) => (x, padding),
        None => (padded(x, conv.padding), 0),
    };
    let (stride, dilation) = ([conv.stride; 2], [conv.dilation; 2]);
    let options = ConvOptions::new(stride, [padding; 2], dilation, conv.groups);
    let dtype = x.dtype();
    let x = if sums::are_narrow(&x.device(), dtype) {
        wide(x)
    } else {
        x
    };
    let (weight, bias) = (like(weight, &x), bias.map(|bias| like(bias, &x)));
    let y = burn::tensor::module::conv2d(to_channels_first(x), weight, bias, options);
    let y = if y.dtype() == dtype { y } else { y.cast(dtype) };
    to_channels_last(y)
}

pub(super) fn linear(x: Tensor<2>, weight: Tensor<2>, bias: Option<Tensor<1>>) -> Tensor<2> {
    let (weight, bias) = (like(weight, &x), bias.map(|bias| like(bias, &x)));
    // The transposition is a view: the matrix product reads either layout.
    burn::tensor::module::linear(x, weight.transpose(), bias)
}

pub(super) fn like<const D: usize, const E: usize>(x: Tensor<D>, other: &Tensor<E>) -> Tensor<D> {
    match x.dtype() == other.dtype() {
        true => x,
        false => x.cast(other.dtype()),
    }
}

/// At least 32 bits, for statistics: sums of thousands of values of 16 bits lose the smaller ones.
fn wide<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    match x.dtype() {
        DType::F16 | DType::BF16 => x.cast(DType::F32),
        _ => x,
    }
}

/// With zeros around each image.
fn padded(x: Tensor<4>, padding: Padding) -> Tensor<4> {
    let [n, h, w, c] = x.dims();
    let ([top, bottom], [left, right]) = (padding.rows, padding.columns);
    let size = [n, top + h + bottom, left + w + right, c];
    let zeros: Tensor<4> = Tensor::zeros(size, &x.device());
    like(zeros, &x).slice_assign([0..n, top..top + h, left..left + w, 0..c], x)
}

pub(super) fn batch_norm_training(
    x: Tensor<4>,
    [gamma, beta]: [Tensor<1>; 2],
    eps: f64,
    residual: Option<Tensor<4>>,
    activation: Option<Activation>,
) -> Normalized {
    let [n, h, w, _] = x.dims();
    let input = to_channels_first(wide(x.clone()));
    let statistics = |own: Tensor<1>| like(own, &gamma);
    let (scale, shift) = (like(gamma.clone(), &input), like(beta, &input));
    let out = batch_norm_train(input, scale, shift, eps);
    Normalized {
        count: n * h * w,
        output: finish(like(out.output, &x), residual, activation),
        mean: statistics(out.mean),
        variance: statistics(out.variance),
    }
}

pub(super) fn batch_norm_eval(
    x: Tensor<4>,
    norm: BatchNormEval,
    residual: Option<Tensor<4>>,
) -> Tensor<4> {
    let (input, eps) = (to_channels_first(wide(x.clone())), norm.eps);
    let all = [norm.gamma, norm.beta, norm.mean, norm.variance];
    let [gamma, beta, mean, variance] = all.map(|own| like(own, &input));
    let y = batch_norm(input, gamma, beta, mean, variance, eps);
    finish(like(y, &x), residual, norm.activation)
}

/// Adds the residual and applies the activation, still with channels first.
fn finish(y: Tensor<4>, residual: Option<Tensor<4>>, activation: Option<Activation>) -> Tensor<4> {
    let y = match residual {
        Some(residual) => y + to_channels_first(residual),
        None => y,
    };
    to_channels_last(match activation {
        Some(function) => activate(y, function),
        None => y,
    })
}

pub(super) fn max_pool(x: Tensor<4>, pool: MaxPool) -> Tensor<4> {
    let options = MaxPoolOptions::new([pool.kernel; 2])
        .with_stride([pool.stride; 2])
        .with_padding([pool.padding; 2])
        .with_ceil_mode(pool.ceil_mode);
    to_channels_last(max_pool2d(to_channels_first(x), options))
}

pub(super) fn mean_windows(x: Tensor<4>, pool: MeanPool) -> Tensor<4> {
    let options = AvgPoolOptions::new([pool.size; 2])
        .with_stride([pool.size; 2])
        .with_ceil_mode(pool.ceil_mode);
    to_channels_last(avg_pool2d(to_channels_first(x), options))
}

pub(super) fn concat_pool(x: Tensor<4>) -> Tensor<4> {
    let x = to_channels_first(x);
    let max = x.clone().max_dim(3).max_dim(2);
    let mean = x.mean_dim(3).mean_dim(2);
    to_channels_last(Tensor::cat(vec![max, mean], 1))
}

pub(super) fn mean_pool(x: Tensor<4>) -> Tensor<4> {
    to_channels_last(to_channels_first(x).mean_dim(3).mean_dim(2))
}

pub(super) fn activate(x: Tensor<4>, function: Activation) -> Tensor<4> {
    let hard_sigmoid = |x: Tensor<4>| x.div_scalar(6.0).add_scalar(0.5).clamp(0.0, 1.0);
    match function {
        Activation::Relu => relu(x),
        Activation::Relu6 => relu6(x),
        Activation::Silu => x.clone() * sigmoid(x),
        Activation::HardSwish => x.clone() * hard_sigmoid(x),
        Activation::HardSigmoid => hard_sigmoid(x),
        Activation::Sigmoid => sigmoid(x),
        Activation::Gelu => gelu(x),
    }
}

/// By the error function. The gradient of Burn's own `gelu` is that of its approximation by a hyperbolic tangent, which differs by up to
/// 8e-4 (Burn 0.22).
fn gelu(x: Tensor<4>) -> Tensor<4> {
    let normal = x.clone().mul_scalar(FRAC_1_SQRT_2).erf().add_scalar(1.0);
    x.mul_scalar(0.5) * normal
}

pub(super) fn layer_norm(x: Tensor<4>, [gamma, beta]: [Tensor<1>; 2], eps: f64) -> Tensor<4> {
    let input = wide(x.clone());
    let centered = input.clone() - input.mean_dim(3);
    let variance = (centered.clone() * centered.clone()).mean_dim(3);
    let normalized = centered / variance.add_scalar(eps).sqrt();
    let [gamma, beta] = [gamma, beta].map(|own| like(own, &normalized));
    let y = normalized * gamma.reshape([1, 1, 1, -1]) + beta.reshape([1, 1, 1, -1]);
    like(y, &x)
}

/// Least sum of squares: at 0 the square root has no gradient, and PyTorch's norm counts it as 0.
const LEAST: f64 = 1e-30;

pub(super) fn response_norm(x: Tensor<4>, [scale, shift]: [Tensor<1>; 2], eps: f64) -> Tensor<4> {
    let [scale, shift] = [scale, shift].map(|values| values.reshape([1, 1, 1, -1]));
    // The sums in the precision of the parameters.
    let wide = like(x.clone(), &scale);
    let squares = wide.clone() * wide;
    let norm = squares.sum_dim(1).sum_dim(2).clamp_min(LEAST).sqrt();
    let relative = norm.clone() / norm.mean_dim(3).add_scalar(eps);
    let (factors, shift) = (like(relative * scale, &x), like(shift, &x));
    x.clone() + x * factors + shift
}

pub(super) fn attention(qkv: Tensor<4>, heads: usize) -> Tensor<4> {
    let [batch, _, tokens, channels] = qkv.dims();
    let size = channels / (3 * heads);
    let parts = qkv.reshape([batch, tokens, 3 * heads, size]);
    // To `[batch, heads, tokens, size]`.
    let [q, k, v] = [0, heads, 2 * heads].map(|first| {
        let part = parts.clone().narrow(2, first, heads);
        part.permute([0, 2, 1, 3])
    });
    let scores = q.mul_scalar((size as f64).powf(-0.5)).matmul(k.transpose());
    let weights = like(softmax(wide(scores), 3), &v);
    let y = weights.matmul(v).permute([0, 2, 1, 3]);
    y.reshape([batch, 1, tokens, heads * size])
}

pub(super) fn cross_entropy(
    logits: Tensor<2>,
    targets: Tensor<1, Int>,
    smoothing: f64,
    weights: Option<&[f32]>,
) -> Tensor<1> {
    let classes = logits.dims()[1];
    let weights = weights.map(|weights| values_like(weights, &logits));
    let logs = log_softmax(logits, 1);
    let column = targets.clone().unsqueeze_dim(1);
    let mut own: Tensor<1> = logs.clone().gather(1, column).neg().squeeze_dim(1);
    if let Some(weights) = &weights {
        own = own * weights.clone().select(0, targets);
    }
    if smoothing == 0.0 {
        return own;
    }
    let all = match weights {
        Some(weights) => logs * weights.unsqueeze_dim(0),
        None => logs,
    };
    let all: Tensor<1> = all.sum_dim(1).neg().squeeze_dim(1);
    own.mul_scalar(1.0 - smoothing) + all.mul_scalar(smoothing / classes as f64)
}

pub(super) fn binary_cross_entropy(
    logits: Tensor<2>,
    targets: Tensor<2>,
    weights: Option<&[f32]>,
) -> Tensor<1> {
    let weights = weights.map(|weights| values_like(weights, &logits));
    let negative = targets.clone().neg().add_scalar(1.0) * logits.clone();
    let logs = log_sigmoid(logits);
    let positive = match weights {
        Some(weights) => {
            let factors = (targets * weights.sub_scalar(1.0).unsqueeze_dim(0)).add_scalar(1.0);
            logs * factors
        }
        None => logs,
    };
    let losses = negative - positive;
    losses.mean_dim(1).squeeze_dim(1)
}

/// Values with the device and the precision of another tensor.
fn values_like(values: &[f32], other: &Tensor<2>) -> Tensor<1> {
    like(Tensor::from_floats(values, &other.device()), other)
}

pub(super) fn move_to(average: Tensor<1>, value: Tensor<1>, part: f64) -> Tensor<1> {
    average.clone() + (value - average).mul_scalar(part)
}

pub(super) fn adam(
    rule: &Adam,
    value: Tensor<1>,
    grad: Tensor<1>,
    [m, v]: [Tensor<1>; 2],
) -> [Tensor<1>; 3] {
    let value = value.mul_scalar(1.0 - rule.lr * rule.weight_decay);
    let (b1, b2) = (rule.beta1, rule.beta2);
    let m = m.mul_scalar(b1) + grad.clone().mul_scalar(1.0 - b1);
    let v = v.mul_scalar(b2) + (grad.clone() * grad).mul_scalar(1.0 - b2);
    let steps = f64::from(rule.step);
    let (c1, c2) = (1.0 - b1.powf(steps), 1.0 - b2.powf(steps));
    let denominator = v.clone().sqrt().div_scalar(c2.sqrt()).add_scalar(rule.eps);
    let value = value - (m.clone() / denominator).mul_scalar(rule.lr / c1);
    [value, m, v]
}
