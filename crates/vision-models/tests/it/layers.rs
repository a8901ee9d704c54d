//! Every layer computes what PyTorch's layer of that name computes, forwards and backwards.
//!
//! The fixture was taken from PyTorch by `scripts/make_layer_fixtures.py`; inputs and parameters are filled
//! from their names on both sides.

use std::collections::BTreeMap;

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Device, Gradients, Tensor, TensorData};
use serde::Deserialize;
use vision_models::Init;
use vision_models::layers::{
    AdaptiveAvgPool2d, AdaptiveConcatPool2d, AvgPool2d, BatchNorm, ConvConfig, Dropout, Layer,
    Linear, MaxPool2d, RandomStream,
};
use vision_models::parity::fill;
use vision_models::state::{self, values};

#[derive(Deserialize)]
struct Fixture {
    layers: BTreeMap<String, Case>,
}

#[derive(Deserialize)]
struct Case {
    shape: Vec<usize>,
    output: Vec<f64>,
    grads: BTreeMap<String, Vec<f64>>,
    #[serde(default)]
    running_mean: Vec<f64>,
    #[serde(default)]
    running_var: Vec<f64>,
    #[serde(default)]
    eval: Vec<f64>,
}

fn device() -> Device {
    vision_models::test_device()
}

fn init() -> Init {
    Init::zeroed(&device())
}

fn case(name: &str) -> Case {
    let mut fixture: Fixture =
        serde_json::from_str(include_str!("../fixtures/layers.json")).unwrap();
    fixture.layers.remove(name).unwrap()
}

/// Values filled from the case's name, on the plain device.
fn tensor<const D: usize>(case: &str, name: &str, shape: [usize; D]) -> Tensor<D> {
    let values = fill(&format!("{case}.{name}"), &shape, 0);
    Tensor::from_data(TensorData::new(values, shape), &device())
}

fn filled(case: &str, layer: Layer) -> Layer {
    state::assign(layer, &mut |name, shape| {
        Some(fill(&format!("{case}.{name}"), shape, 0))
    })
}

fn close(what: &str, found: &[f32], expected: &[f64]) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (i, (found, expected)) in found.iter().zip(expected).enumerate() {
        let error = (f64::from(*found) - expected).abs();
        assert!(
            error < 2e-6 * expected.abs().max(1.0),
            "{what}[{i}]: {found}, PyTorch {expected}"
        );
    }
}

struct Grads<'a>(&'a Gradients, Vec<Vec<f32>>);

impl ModuleVisitor for Grads<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.1
            .push(param.val().grad(self.0).map(values).unwrap_or_default());
    }
}

/// One training pass, compared with PyTorch's. Gives the layer back as it is afterwards.
fn trains_like_pytorch(name: &str, layer: Layer, input: Tensor<4>) -> Layer {
    let expected = case(name);
    let layer = filled(name, layer).train();
    let x = Tensor::from_inner(input).require_grad();
    let y = layer.forward(x.clone());
    let mut shape = expected.shape.clone();
    shape.resize(4, 1);
    assert_eq!(y.dims().to_vec(), shape, "{name}");
    close(
        &format!("{name} output"),
        &values(y.clone()),
        &expected.output,
    );

    let cotangent = Tensor::from_inner(tensor(name, "cotangent", y.dims()));
    let grads = (y * cotangent).sum().backward();
    let found = values(x.grad(&grads).unwrap());
    close(
        &format!("{name} input's gradient"),
        &found,
        &expected.grads["input"],
    );
    let mut visitor = Grads(&grads, Vec::new());
    layer.visit(&mut visitor);
    let entries = state::entries(&layer);
    let params = entries
        .iter()
        .zip(&visitor.1)
        .filter(|(entry, _)| !entry.buffer);
    let mut compared = 1;
    for (entry, found) in params {
        let what = format!("{name} {}'s gradient", entry.name);
        close(&what, found, &expected.grads[&entry.name]);
        compared += 1;
    }
    assert_eq!(compared, expected.grads.len(), "{name}");
    layer
}

#[test]
fn convolutions_equal_pytorchs() {
    for (name, config, shape) in [
        (
            "conv3x3",
            ConvConfig::new(3, 4, 3).with_stride(2).with_padding(1),
            [2, 3, 7, 8],
        ),
        (
            "conv1x1",
            ConvConfig::new(4, 6, 1).with_stride(2),
            [2, 4, 5, 5],
        ),
        (
            "conv7x7",
            ConvConfig::new(3, 2, 7).with_stride(2).with_padding(3),
            [1, 3, 9, 10],
        ),
    ] {
        let layer = Layer::Conv2d(config.init(&mut init()));
        trains_like_pytorch(name, layer, tensor(name, "input", shape));
    }
}

#[test]
fn a_convolution_in_groups_with_a_bias_equals_pytorchs() {
    let config = ConvConfig {
        groups: 2,
        bias: true,
        ..ConvConfig::new(4, 6, 3).with_padding(1)
    };
    let layer = Layer::Conv2d(config.init(&mut init()));
    trains_like_pytorch("grouped", layer, tensor("grouped", "input", [2, 4, 4, 5]));
}

#[test]
fn a_linear_layer_equals_pytorchs_with_its_weight_in_pytorchs_layout() {
    let layer = Linear::new(5, 3, &mut init());
    assert_eq!(layer.weight.dims(), [3, 5]);
    trains_like_pytorch(
        "linear",
        Layer::Linear(layer),
        tensor("linear", "input", [4, 5, 1, 1]),
    );
}

#[test]
fn max_pooling_ignores_its_padding() {
    let layer = Layer::MaxPool2d(MaxPool2d::new(3, 2, 1));
    let negative = tensor("max_pool", "input", [2, 3, 7, 8]) - 2.0;
    trains_like_pytorch("max_pool", layer, negative);
}

#[test]
fn adaptive_mean_pooling_equals_pytorchs_where_windows_overlap() {
    for (name, size) in [("avg_pool1", 1), ("avg_pool3", 3)] {
        let layer = Layer::AdaptiveAvgPool2d(AdaptiveAvgPool2d::new(size));
        trains_like_pytorch(name, layer, tensor(name, "input", [2, 3, 7, 5]));
    }
}

#[test]
fn adaptive_mean_pooling_to_more_pixels_than_there_are_equals_pytorchs() {
    let layer = Layer::AdaptiveAvgPool2d(AdaptiveAvgPool2d::new(7));
    trains_like_pytorch(
        "avg_pool7",
        layer,
        tensor("avg_pool7", "input", [2, 3, 2, 3]),
    );
}

#[test]
fn pooling_in_ceil_mode_adds_a_window_where_the_image_ends_inside_it() {
    let layer = Layer::MaxPool2d(MaxPool2d::new(3, 2, 0).with_ceil_mode());
    let negative = tensor("max_pool_ceil", "input", [2, 3, 8, 7]) - 2.0;
    trains_like_pytorch("max_pool_ceil", layer, negative);
}

#[test]
fn mean_pooling_in_ceil_mode_divides_by_the_pixels_that_there_are() {
    let layer = Layer::AvgPool2d(AvgPool2d::new(2).with_ceil_mode());
    let input = tensor("avg_pool_ceil", "input", [2, 3, 5, 1]);
    trains_like_pytorch("avg_pool_ceil", layer, input);
}

#[test]
fn mean_pooling_drops_a_last_odd_row() {
    let layer = Layer::AvgPool2d(AvgPool2d::new(2));
    let input = tensor("avg_pool_even", "input", [2, 3, 5, 6]);
    trains_like_pytorch("avg_pool_even", layer, input);
}

#[test]
fn relu6_equals_pytorchs() {
    let input = tensor::<4>("relu6", "input", [2, 3, 4, 5]) * 9.0;
    trains_like_pytorch("relu6", Layer::Relu6, input);
}

#[test]
fn concat_pooling_gives_the_maximum_of_each_channel_first_and_the_mean_second() {
    let layer = Layer::AdaptiveConcatPool2d(AdaptiveConcatPool2d);
    let x = Tensor::<4>::from_data(
        [[[[1.0, 5.0], [2.0, 4.0]], [[-1.0, -2.0], [-3.0, -6.0]]]],
        &device(),
    );
    let y = layer.forward(x);
    assert_eq!(y.dims(), [1, 4, 1, 1]);
    assert_eq!(values(y), [5.0, -1.0, 3.0, -3.0]);

    let negative = tensor("concat_pool", "input", [2, 3, 4, 5]) - 2.0;
    trains_like_pytorch("concat_pool", layer, negative);
}

/// A batch in train mode, then another one; then eval mode.
fn batch_norm_equals_pytorchs(name: &str, layer: BatchNorm, shape: [usize; 4]) {
    let expected = case(name);
    let first: Tensor<4> = tensor(name, "input", shape);
    let layer = trains_like_pytorch(name, Layer::BatchNorm(layer), first.clone());
    let second = tensor(name, "second", shape) * 3.0 + 1.0;
    layer.forward(Tensor::from_inner(second));

    let found: BTreeMap<_, _> = state::tensors(&layer)
        .into_iter()
        .map(|t| (t.name, t.values))
        .collect();
    close(
        "running mean",
        &found["running_mean"],
        &expected.running_mean,
    );
    close(
        "running variance",
        &found["running_var"],
        &expected.running_var,
    );
    let eval = values(layer.valid().forward(first));
    close("output in eval mode", &eval, &expected.eval);
}

#[test]
fn batch_norm_of_maps_keeps_the_unbiased_variance_as_pytorch_does() {
    batch_norm_equals_pytorchs("bn2d", BatchNorm::new(3, &init()), [4, 3, 5, 6]);
}

#[test]
fn batch_norm_of_flat_features_with_another_momentum_equals_pytorchs() {
    let layer = BatchNorm::new(5, &init()).with_momentum(0.01);
    batch_norm_equals_pytorchs("bn1d", layer, [4, 5, 1, 1]);
}

#[test]
fn batch_norm_starts_as_the_identity_up_to_epsilon() {
    let x: Tensor<4> = tensor("identity", "input", [2, 3, 4, 4]);
    let y = BatchNorm::new(3, &init()).forward(x.clone());
    let expected: Vec<f64> = values(x)
        .iter()
        .map(|&v| f64::from(v) / 1.00001_f64.sqrt())
        .collect();
    close("output", &values(y), &expected);
}

#[test]
fn batch_norm_leaves_its_statistics_alone_on_a_plain_device_and_when_frozen() {
    let x: Tensor<4> = tensor("still", "input", [2, 3, 4, 4]);
    let layer = filled("still", Layer::BatchNorm(BatchNorm::new(3, &init())));
    let before = state::tensors(&layer);
    let plain = values(layer.forward(x.clone()));
    let frozen = layer.train().freeze();
    assert_eq!(values(frozen.forward(Tensor::from_inner(x))), plain);
    assert_eq!(state::tensors(&frozen), before);
}

#[test]
fn batch_norm_without_gradients_still_trains_its_statistics() {
    let x: Tensor<4> = tensor("no_grad", "input", [2, 3, 4, 4]);
    let layer = filled("no_grad", Layer::BatchNorm(BatchNorm::new(3, &init())));
    let before = state::tensors(&layer);
    let layer = layer.train().no_grad();
    layer.forward(Tensor::from_inner(x));
    let after = state::tensors(&layer);
    assert_eq!(after[..2], before[..2]);
    assert_ne!(after[2], before[2]);
    assert_ne!(after[3], before[3]);
}

#[test]
fn a_batch_with_one_value_per_channel_gives_finite_statistics() {
    let layer = Layer::BatchNorm(BatchNorm::new(3, &init())).train();
    layer.forward(Tensor::from_inner(tensor::<4>(
        "single",
        "input",
        [1, 3, 1, 1],
    )));
    let found = state::tensors(&layer);
    assert!(
        found.iter().all(|t| t.values.iter().all(|v| v.is_finite())),
        "{found:?}"
    );
}

fn ones(len: usize) -> Tensor<2> {
    Tensor::ones([1, len], &device().autodiff())
}

fn dropped(values: &[f32]) -> usize {
    values.iter().filter(|&&v| v == 0.0).count()
}

#[test]
fn dropout_drops_at_its_rate_and_scales_what_it_keeps() {
    const N: usize = 100_000;
    for p in [0.1, 0.25, 0.5, 0.9] {
        let found = values(Dropout::new(p, &RandomStream::new(1)).forward(ones(N)));
        let kept = 1.0 / (1.0 - p) as f32;
        assert!(found.iter().all(|&v| v == 0.0 || (v - kept).abs() < 1e-6));
        // Five standard deviations of a binomial.
        let slack = 5.0 * (p * (1.0 - p) * N as f64).sqrt();
        let found = dropped(&found) as f64;
        assert!((found - p * N as f64).abs() < slack, "{p}: {found}");
    }
}

#[test]
fn dropout_of_nothing_and_of_everything() {
    let stream = RandomStream::new(1);
    assert_eq!(
        values(Dropout::new(0.0, &stream).forward(ones(10))),
        [1.0; 10]
    );
    assert_eq!(
        values(Dropout::new(1.0, &stream).forward(ones(10))),
        [0.0; 10]
    );
}

#[test]
fn dropout_repeats_after_its_stream_is_rewound_and_not_before() {
    let stream = RandomStream::new(7);
    let (a, b) = (Dropout::new(0.5, &stream), Dropout::new(0.5, &stream));
    let masks = || [values(a.forward(ones(64))), values(b.forward(ones(64)))];
    let [first, second] = masks();
    assert_ne!(first, second);
    assert!(masks() != [first.clone(), second.clone()]);
    stream.rewind(7);
    assert_eq!(masks(), [first, second]);
}

#[test]
fn dropout_multiplies_the_gradient_by_its_mask() {
    let x = ones(64).require_grad();
    let y = Dropout::new(0.5, &RandomStream::new(3)).forward(x.clone());
    let grads = y.clone().sum().backward();
    assert_eq!(values(x.grad(&grads).unwrap()), values(y));
}

#[test]
fn dropout_is_off_in_eval_mode_and_when_frozen() {
    let layer = Dropout::new(0.5, &RandomStream::new(1));
    let plain: Tensor<2> = Tensor::ones([1, 64], &device());
    assert_eq!(dropped(&values(layer.forward(plain))), 0);
    assert!(dropped(&values(layer.forward(ones(64)))) > 0);
    assert_eq!(dropped(&values(layer.freeze().forward(ones(64)))), 0);
}

#[test]
fn layers_flatten_to_one_pixel_with_channels_first() {
    let x: Tensor<4> = tensor("flatten", "input", [2, 3, 2, 2]);
    let y = Layer::Flatten.forward(x.clone());
    assert_eq!(y.dims(), [2, 12, 1, 1]);
    assert_eq!(values(y), values(x));
}
