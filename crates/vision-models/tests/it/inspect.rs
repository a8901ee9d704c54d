//! Shapes, cost and outputs of layers, against PyTorch's hooks and counters (scripts/make_inspect_fixture.py).

use std::collections::BTreeMap;

use burn::tensor::{Device, Tensor, TensorData};
use serde::Deserialize;
use vision_models::state::{self, values};
use vision_models::{Arch, Init, inspect, parity};

#[derive(Deserialize)]
struct Fixture {
    profiles: BTreeMap<String, Profile>,
    outputs: BTreeMap<String, BTreeMap<String, Output>>,
    totals: BTreeMap<String, u64>,
}

#[derive(Deserialize)]
struct Profile {
    multiply_adds: u64,
    parameters: usize,
    layers: Vec<Row>,
}

#[derive(Deserialize)]
struct Row {
    name: String,
    output: Vec<usize>,
    parameters: usize,
    multiply_adds: u64,
}

#[derive(Deserialize)]
struct Output {
    shape: Vec<usize>,
    means: Vec<f64>,
}

fn fixture() -> Fixture {
    serde_json::from_str(include_str!("../fixtures/inspect.json")).unwrap()
}

fn arch(name: &str) -> Arch {
    name.parse().unwrap()
}

#[test]
fn every_layer_has_the_shape_the_parameters_and_the_multiply_adds_that_pytorch_counts() {
    let mut layers = 0;
    for (name, expected) in fixture().profiles {
        let net = arch(&name).build(1000, &mut Init::zeroed(&Device::default()));
        let found = inspect::profile(&net, [3, 224, 224]).unwrap();
        let mut parameters: BTreeMap<String, usize> = BTreeMap::new();
        for entry in state::entries(&net).iter().filter(|entry| !entry.buffer) {
            // Those of the tokens have no layer's name.
            let (layer, _) = entry.name.rsplit_once('.').unwrap_or(("pos_drop", ""));
            *parameters.entry(layer.to_owned()).or_default() += entry.len();
        }
        let names = |rows: Vec<&str>| rows.join("\n");
        assert_eq!(
            names(found.iter().map(|row| row.name.as_str()).collect()),
            names(
                expected
                    .layers
                    .iter()
                    .map(|row| row.name.as_str())
                    .collect()
            ),
            "{name}"
        );
        for (found, torch) in found.iter().zip(&expected.layers) {
            let layer = format!("{name} {}", torch.name);
            assert_eq!(found.output, torch.output, "{layer}");
            assert_eq!(found.multiply_adds, torch.multiply_adds, "{layer}");
            let own = parameters.get(&found.name).copied().unwrap_or_default();
            assert_eq!(own, torch.parameters, "{layer}");
        }
        let total: u64 = found.iter().map(|row| row.multiply_adds).sum();
        assert_eq!(total, expected.multiply_adds, "{name}");
        assert_eq!(
            parameters.values().sum::<usize>(),
            expected.parameters,
            "{name}"
        );
        layers += found.len();
    }
    assert!(layers > 700, "{layers}");
}

#[test]
fn networks_of_timm_have_the_multiply_adds_that_pytorch_counts() {
    let totals = fixture().totals;
    assert!(totals.len() > 25, "{}", totals.len());
    for (name, expected) in totals {
        let net = arch(&name).build(1000, &mut Init::zeroed(&Device::default()));
        let layers = inspect::profile(&net, [3, 224, 224]).unwrap();
        let found: u64 = layers.iter().map(|row| row.multiply_adds).sum();
        assert_eq!(found, expected, "{name}");
    }
}

#[test]
fn the_output_of_any_layer_is_what_a_hook_in_pytorch_sees() {
    let device = Device::default();
    let image = parity::fill("input", &[1, 3, 64, 64], 0);
    let image = Tensor::<4>::from_data(TensorData::new(image, [1, 3, 64, 64]), &device);
    for (name, layers) in fixture().outputs {
        let net = parity::filled(arch(&name).build(1000, &mut Init::zeroed(&device)), 0);
        for (path, torch) in layers {
            let found = net.forward_to(&path, image.clone());
            let found = found.unwrap_or_else(|| panic!("{name} has no {path}"));
            let mut shape = torch.shape.clone();
            shape.resize(4, 1);
            assert_eq!(found.dims().to_vec(), shape, "{name} {path}");
            let means = values(found.mean_dim(3).mean_dim(2));
            let largest = torch
                .means
                .iter()
                .fold(0.0_f64, |most, v| most.max(v.abs()));
            for (i, (found, torch)) in means.iter().zip(&torch.means).enumerate() {
                // PyTorch's numbers are f64's; f32 gathers roundings over up to a hundred layers.
                let off = (f64::from(*found) - torch).abs();
                assert!(
                    off <= 1e-4 * largest,
                    "{name} {path} {i}: {found}, expected {torch}"
                );
            }
        }
    }
}

#[test]
fn shapes_are_those_of_the_forward_pass_also_for_odd_sizes() {
    let device = Device::default();
    for arch in [
        Arch::XResNet18,
        Arch::XResNet50,
        Arch::SqueezeNet1_0,
        Arch::AlexNet,
    ] {
        let net = arch.build(5, &mut Init::new(0, &device));
        let size = [97, 71];
        let image = Tensor::zeros([1, 3, size[0], size[1]], &device);
        for row in inspect::profile(&net, [3, size[0], size[1]]).unwrap() {
            // The ReLU of a block is the block's output; inside of a block it has no place of its own.
            let path = match row.name.strip_suffix(".relu") {
                Some(block) => block,
                None => row.name.as_str(),
            };
            let Some(found) = net.forward_to(path, image.clone()) else {
                panic!("{arch} has no {path}");
            };
            let mut shape = row.output.clone();
            shape.resize(3, 1);
            assert_eq!(found.dims()[1..], shape[..], "{arch} {path}");
        }
    }
}

#[test]
fn the_last_layer_gives_the_bits_of_the_forward_pass() {
    let device = Device::default();
    let net = Arch::ResNet18.build(5, &mut Init::new(0, &device));
    let image = parity::fill("input", &[2, 3, 64, 64], 0);
    let image = Tensor::<4>::from_data(TensorData::new(image, [2, 3, 64, 64]), &device);
    let found = net.forward_to("fc", image.clone()).unwrap();
    assert_eq!(values(found), values(net.forward(image)));
}

#[test]
fn replacing_the_output_of_any_layer_by_itself_changes_nothing_and_by_zeros_the_rest() {
    let device = Device::default();
    for arch in [
        Arch::ResNet18,
        Arch::ResNet50,
        Arch::XResNet50,
        Arch::SqueezeNet1_0,
        Arch::DenseNet121,
        Arch::MobileNetV2,
        Arch::TfEfficientNetLite0,
        Arch::ConvNextAtto,
        Arch::ConvNextV2Pico,
        Arch::VitTinyPatch16_224,
        Arch::Deit3SmallPatch16_224,
    ] {
        let net = arch.build(5, &mut Init::zeroed(&device));
        let net = parity::filled(net, 0);
        let side = 32;
        let image = parity::fill("input", &[1, 3, side, side], 0);
        let image = Tensor::<4>::from_data(TensorData::new(image, [1, 3, side, side]), &device);
        let expected = values(net.forward(image.clone()));
        let largest = expected.iter().fold(0.0_f32, |most, v| most.max(v.abs()));
        let rows = inspect::profile(&net, [3, side, side]).unwrap();
        // A sample of each kind of block: running all of them takes a minute.
        let sample = rows.iter().enumerate();
        let sample = sample.filter(|(i, _)| i % 7 == 0 || i + 12 > rows.len());
        for (_, row) in sample {
            let path = match row.name.strip_suffix(".relu") {
                Some(block) => block,
                None => row.name.as_str(),
            };
            let mut seen = None;
            let out = net.forward_replacing(path, image.clone(), |y| {
                seen = Some(y.clone());
                y
            });
            let out = values(out.unwrap());
            for (found, expected) in out.iter().zip(&expected) {
                let off = (found - expected).abs();
                assert!(
                    off <= 1e-4 * largest,
                    "{arch} {path}: {found}, expected {expected}"
                );
            }
            let to = net.forward_to(path, image.clone()).unwrap();
            assert_eq!(values(seen.unwrap()), values(to), "{arch} {path}");
            let other = net.forward_replacing(path, image.clone(), |y| y.zeros_like());
            assert_ne!(values(other.unwrap()), out, "{arch} {path}");
        }
    }
}

#[test]
fn a_layer_that_does_not_exist_has_no_output() {
    let device = Device::default();
    let net = Arch::ResNet18.build(5, &mut Init::new(0, &device));
    let image = || Tensor::<4>::zeros([1, 3, 64, 64], &device);
    for path in [
        "",
        ".",
        "layer5",
        "layer1.2",
        "layer1.0.conv3",
        "layer1.0.downsample",
        "conv1.weight",
        "layer",
    ] {
        assert!(net.forward_to(path, image()).is_none(), "{path:?}");
        let replaced = net.forward_replacing(path, image(), |_| unreachable!());
        assert!(replaced.is_none(), "{path:?}");
    }
}

#[test]
fn an_image_of_which_a_layer_leaves_nothing_is_named_with_that_layer() {
    let net = Arch::AlexNet.build(5, &mut Init::zeroed(&Device::default()));
    assert_eq!(inspect::profile(&net, [3, 8, 8]).unwrap_err(), "features.2");
    for size in [[0, 8], [8, usize::MAX]] {
        assert_eq!(
            inspect::profile(&net, [3, size[0], size[1]]).unwrap_err(),
            ""
        );
    }
}
