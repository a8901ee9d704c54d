//! Initial values: the distributions of PyTorch and fastai, repeatable from a seed.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use vision_models::{
    Arch, Init,
    layers::{ConvConfig, Linear},
    state::{self, values},
};

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
