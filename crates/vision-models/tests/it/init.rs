//! Initial values: the distributions of PyTorch and fastai, repeatable from a seed.

use vision_models::layers::{ConvConfig, Linear};
use vision_models::state::{self, values};
use vision_models::{Arch, Init, WeightInit};

fn init(seed: u64) -> Init {
    Init::new(seed, &vision_models::test_device())
}

fn mean_and_std(values: &[f32]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().map(|&v| f64::from(v)).sum::<f64>() / n;
    let variance = values
        .iter()
        .map(|&v| (f64::from(v) - mean).powi(2))
        .sum::<f64>()
        / n;
    (mean, variance.sqrt())
}

/// Mean within four standard errors of `0`, standard deviation within 2 %.
fn has_spread(what: &str, values: &[f32], std: f64) {
    let (mean, found) = mean_and_std(values);
    assert!(
        mean.abs() < 4.0 * std / (values.len() as f64).sqrt(),
        "{what}: mean {mean}"
    );
    assert!(
        (found / std - 1.0).abs() < 0.02,
        "{what}: {found}, expected {std}"
    );
}

#[test]
fn normal_values_have_the_standard_deviation_and_the_tails_of_a_normal() {
    let drawn = values(init(1).normal([300, 200], 0.3).val());
    has_spread("normal", &drawn, 0.3);
    // P(|z| > 2) = 4.55 %, P(|z| > 3) = 0.27 %.
    let beyond = |z: f32| drawn.iter().filter(|v| v.abs() > z * 0.3).count() as f64 / 60_000.0;
    assert!((beyond(2.0) - 0.0455).abs() < 0.004, "{}", beyond(2.0));
    assert!((beyond(3.0) - 0.0027).abs() < 0.001, "{}", beyond(3.0));
}

#[test]
fn uniform_values_fill_their_range() {
    let drawn = values(init(1).uniform([300, 200], 0.5).val());
    has_spread("uniform", &drawn, 0.5 / 3_f64.sqrt());
    assert!(drawn.iter().all(|v| v.abs() <= 0.5));
    assert!(drawn.iter().any(|&v| v > 0.499) && drawn.iter().any(|&v| v < -0.499));
}

#[test]
fn a_convolution_starts_as_torchvisions_do() {
    let conv = ConvConfig::new(64, 128, 3).init(&mut init(2));
    // Kaiming normal by fan_out.
    has_spread(
        "conv",
        &values(conv.weight.val()),
        (2.0_f64 / (128.0 * 9.0)).sqrt(),
    );
    assert!(conv.bias.is_none());
}

#[test]
fn a_linear_layer_starts_as_pytorchs_or_as_fastais_head() {
    let bound = 1.0 / 1024_f64.sqrt();
    let plain = Linear::new(1024, 512, &mut init(3));
    has_spread(
        "PyTorch's",
        &values(plain.weight.val()),
        bound / 3_f64.sqrt(),
    );
    let bias = values(plain.bias.unwrap().val());
    assert!(bias.iter().all(|v| f64::from(v.abs()) <= bound) && bias.iter().any(|&v| v != 0.0));

    let head = Linear::kaiming_normal(1024, 512, &mut init(3));
    has_spread("fastai's", &values(head.weight.val()), 0.044_194_2);
    assert_eq!(values(head.bias.unwrap().val()), [0.0; 512]);
}

/// Standard deviations that torchvision's (fastai's) constructors ask for, and whether the values are uniform.
#[test]
fn every_family_starts_as_its_original_does() {
    let uniform = |bound: f64| (bound / 3_f64.sqrt(), true);
    let normal = |std: f64| (std, false);
    let cases = [
        // kaiming_uniform_: bound √(6 / fan_in); the last convolution N(0, 0.01²).
        (
            Arch::SqueezeNet1_1,
            vec![
                (
                    "features.12.squeeze.weight",
                    uniform((6_f64 / 512.0).sqrt()),
                ),
                (
                    "features.12.expand3x3.weight",
                    uniform((6_f64 / (64.0 * 9.0)).sqrt()),
                ),
                ("classifier.1.weight", normal(0.01)),
            ],
        ),
        // kaiming_normal_; the linear layer as PyTorch's.
        (
            Arch::DenseNet121,
            vec![
                (
                    "features.denseblock4.denselayer16.conv1.weight",
                    normal((2_f64 / 992.0).sqrt()),
                ),
                ("classifier.weight", uniform(1.0 / 1024_f64.sqrt())),
            ],
        ),
        // kaiming_normal_ by fan_out, which counts all channels of a depthwise convolution.
        (
            Arch::MobileNetV2,
            vec![
                (
                    "features.17.conv.1.0.weight",
                    normal((2_f64 / (960.0 * 9.0)).sqrt()),
                ),
                ("classifier.1.weight", normal(0.01)),
            ],
        ),
        // PyTorch's defaults.
        (
            Arch::AlexNet,
            vec![
                ("features.3.weight", uniform(1.0 / (64.0 * 25.0_f64).sqrt())),
                ("classifier.6.weight", uniform(1.0 / 4096_f64.sqrt())),
            ],
        ),
        // kaiming_normal_ for both.
        (
            Arch::XResNet18,
            vec![
                (
                    "7.1.convs.0.0.weight",
                    normal((2_f64 / (512.0 * 9.0)).sqrt()),
                ),
                ("10.weight", normal((2_f64 / 512.0).sqrt())),
            ],
        ),
    ];
    for (arch, layers) in cases {
        let tensors = state::tensors(&arch.build(1000, &mut init(1)));
        for (name, (std, uniform)) in layers {
            let tensor = tensors.iter().find(|t| t.name == name).unwrap();
            has_spread(&format!("{arch} {name}"), &tensor.values, std);
            let beyond = |v: &&f32| f64::from(v.abs()) > 1.001 * std * 3_f64.sqrt();
            let bounded = tensor.values.iter().find(beyond).is_none();
            assert_eq!(bounded, uniform, "{arch} {name}");
        }
        let biases = tensors.iter().filter(|t| t.name.ends_with("bias"));
        let zero = biases.map(|t| t.values.iter().all(|&v| v == 0.0));
        let zero: Vec<_> = zero.collect();
        assert!(zero.iter().all(|&z| z != (arch == Arch::AlexNet)), "{arch}");
    }
}

#[test]
fn a_new_vgg_starts_as_torchvisions() {
    // Its layers, without the 120 million parameters of its classifier.
    let conv = ConvConfig::new(64, 128, 3).with_bias().init(&mut init(4));
    let std = (2.0_f64 / (128.0 * 9.0)).sqrt();
    has_spread("conv", &values(conv.weight.val()), std);
    assert_eq!(values(conv.bias.unwrap().val()), [0.0; 128]);
    let linear = Linear::with_start(512, 256, WeightInit::Normal(0.01), &mut init(4));
    has_spread("linear", &values(linear.weight.val()), 0.01);
    assert_eq!(values(linear.bias.unwrap().val()), [0.0; 256]);
}

#[test]
fn a_block_of_a_new_xresnet_is_its_shortcut() {
    let tensors = state::tensors(&Arch::XResNet50.build(2, &mut init(0)));
    let norms = tensors
        .iter()
        .filter(|t| t.shape.len() == 1 && t.name.ends_with("weight"));
    let mut zeros = 0;
    for norm in norms {
        let last = norm.name.ends_with("convs.2.1.weight");
        let expected = if last { 0.0 } else { 1.0 };
        assert!(norm.values.iter().all(|&v| v == expected), "{}", norm.name);
        zeros += usize::from(last);
    }
    assert_eq!(zeros, 3 + 4 + 6 + 3);
}

#[test]
fn batch_norms_of_a_new_model_are_identities() {
    let model = Arch::ResNet18.build(2, &mut init(0));
    for (entry, tensor) in state::entries(&model).iter().zip(state::tensors(&model)) {
        if entry.is_batch_norm() {
            let one = entry.name.ends_with("weight") || entry.name.ends_with("running_var");
            let expected = if one { 1.0 } else { 0.0 };
            assert!(
                tensor.values.iter().all(|&v| v == expected),
                "{}",
                entry.name
            );
        }
    }
}

#[test]
fn one_seed_gives_the_same_bits_and_another_seed_other_values() {
    let build = |seed| state::tensors(&Arch::ResNet18.build(2, &mut init(seed)));
    let first = build(1);
    assert_eq!(build(1), first);
    assert_ne!(build(2), first);
}

#[test]
fn layers_of_one_model_do_not_start_equal() {
    let init = &mut init(0);
    let (a, b) = (Linear::new(8, 8, init), Linear::new(8, 8, init));
    assert_ne!(values(a.weight.val()), values(b.weight.val()));
}

#[test]
fn zeroed_draws_nothing() {
    let mut init = Init::zeroed(&vision_models::test_device());
    assert_eq!(values(init.normal([2, 2], 1.0).val()), [0.0; 4]);
    assert_eq!(values(init.uniform([2, 2], 1.0).val()), [0.0; 4]);
}
