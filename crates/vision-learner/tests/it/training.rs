//! Training gives the numbers that PyTorch gets when it trains as fastai v1 does.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;
use vision_models::parity;
use vision_models::state::NamedTensor;
use vision_models::weights::write_safetensors;

use crate::prelude::*;
use crate::support;

fn fixture() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/training.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// The images of `scripts/make_training_fixture.py`, as PNG files: one batch an epoch, also to validate.
pub(crate) fn pictures(root: &Path, fixture: &Value) {
    let (n, side) = (8, 32);
    let u = parity::uniform("pictures", 0).take(n * side * side * 3);
    let pixels: Vec<u8> = u.map(|u| ((u + 1.0) * 127.999).floor() as u8).collect();
    let first: Vec<u8> = serde_json::from_value(fixture["pixels"].clone()).unwrap();
    assert_eq!(pixels[..16], first[..]);
    for (i, picture) in pixels.chunks(side * side * 3).enumerate() {
        let image = image::RgbImage::from_raw(side as u32, side as u32, picture.to_vec()).unwrap();
        for part in ["train", "valid"] {
            let folder = root.join(part).join(if i % 2 == 0 { "a" } else { "b" });
            std::fs::create_dir_all(&folder).unwrap();
            image.save(folder.join(format!("{i}.png"))).unwrap();
        }
    }
}

/// What PyTorch trained, of every parameter and running statistic.
#[derive(Deserialize)]
struct Scenario {
    losses: Vec<f64>,
    valid_loss: f64,
    trainable: usize,
    tensors: BTreeMap<String, Trained>,
}

#[derive(Deserialize)]
struct Trained {
    /// The L2 norm of the difference from the start.
    moved: f64,
    /// `samples` of the values.
    values: Vec<f64>,
}

/// How far a run may be from PyTorch's in f64, each as a part of the expected value.
struct Allowed {
    losses: f64,
    moved: f64,
    values: f64,
}

/// Values of a tensor at places chosen by a hash of its name, as the script chooses them.
fn samples(name: &str, values: &[f32]) -> Vec<f64> {
    let places = parity::uniform(&format!("{name} samples"), 0).take(16);
    let places = places.map(|u| ((u + 1.0) / 2.0 * values.len() as f64) as usize);
    places.map(|place| f64::from(values[place])).collect()
}

fn norm(values: impl Iterator<Item = f64>) -> f64 {
    values.map(|v| v * v).sum::<f64>().sqrt()
}

fn distance(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    norm(a.iter().zip(b).map(|(a, b)| a - b))
}

/// What is wrong with each of the tensors that are not where PyTorch has them.
fn differences(
    found: &[NamedTensor],
    before: &[NamedTensor],
    expected: &BTreeMap<String, Trained>,
    allowed: &Allowed,
) -> Vec<String> {
    assert_eq!(found.len(), expected.len());
    let mut wrong = Vec::new();
    for (tensor, start) in found.iter().zip(before) {
        let name = &tensor.name;
        let torch = &expected[name];
        let pairs = tensor.values.iter().zip(&start.values);
        let moved = norm(pairs.map(|(a, b)| f64::from(*a) - f64::from(*b)));
        let sampled = samples(name, &start.values);
        let path = distance(&torch.values, &sampled);
        let off = distance(&samples(name, &tensor.values), &torch.values);
        // What does not train stays exactly; its samples are those of the start, up to the digits in the file.
        let right = if torch.moved == 0.0 {
            moved == 0.0 && path < 1e-7
        } else {
            (moved - torch.moved).abs() <= allowed.moved * torch.moved
                && off <= allowed.values * path
        };
        if !right {
            wrong.push(format!(
                "{name}: moved {moved:.4e} instead of {:.4e}; values {:.2} % off",
                torch.moved,
                100.0 * off / path
            ));
        }
    }
    wrong
}

/// Ten tenths of the way from `before` to `found` are all of it.
fn on_the_way(before: &[NamedTensor], found: &[NamedTensor], tenths: f32) -> Vec<NamedTensor> {
    let step = |(a, b): (&f32, &f32)| a + (b - a) * tenths / 10.0;
    let pairs = before.iter().zip(found);
    let tensors = pairs.map(|(before, found)| NamedTensor {
        values: before.values.iter().zip(&found.values).map(step).collect(),
        ..found.clone()
    });
    tensors.collect()
}

fn check(scenario: &str, frozen: bool, lr: impl Into<LearningRate>, wd: f64, allowed: &Allowed) {
    let fixture = fixture();
    let dir = tempfile::tempdir().unwrap();
    pictures(dir.path(), &fixture);
    let data = support::data(dir.path(), 8);
    let mut learner = create_cnn(data, Arch::ResNet18)
        .pretrained(false)
        .ps(0.0)
        .wd(wd)
        .silent(true)
        .build()
        .unwrap();
    // Every parameter and buffer filled from its name, as the script does.
    let filled = learner.weights().into_iter().map(|t| NamedTensor {
        values: parity::fill(&t.name, &t.shape, 0),
        ..t
    });
    let before: Vec<_> = filled.collect();
    let file = dir.path().join("filled.safetensors");
    write_safetensors(&file, &before, &BTreeMap::new()).unwrap();
    learner.load(&file).unwrap();
    let start: BTreeMap<String, Vec<f64>> =
        serde_json::from_value(fixture["before"].clone()).unwrap();
    assert_eq!(start.len(), before.len());
    for tensor in learner.weights() {
        let name = &tensor.name;
        let off = distance(&samples(name, &tensor.values), &start[name]);
        assert!(off < 1e-7, "{name} starts {off} off");
    }
    if frozen {
        learner.freeze().unwrap();
    }
    let expected: Scenario = serde_json::from_value(fixture[scenario].clone()).unwrap();
    assert_eq!(learner.num_params().0, expected.trainable);

    let record = learner.fit_one_cycle(10, lr).unwrap();
    assert_eq!(record.raw_losses.len(), expected.losses.len());
    for (step, (ours, torch)) in record.raw_losses.iter().zip(&expected.losses).enumerate() {
        // The expected numbers are f64's. PyTorch in f32 is 1.7e-5 off at the first step, since the last
        // stage normalizes maps of one pixel; later steps: see the tests below.
        let tolerance = if step == 0 {
            5e-5
        } else {
            allowed.losses * torch + 1e-6
        };
        assert!(
            (ours - torch).abs() < tolerance,
            "{scenario}, step {step}: {ours} is not {torch}"
        );
    }
    let (valid, torch) = (learner.validate().unwrap()[0].1, expected.valid_loss);
    assert!(
        (valid - torch).abs() < allowed.losses * torch,
        "{scenario}: {valid} is not {torch}"
    );

    let found = learner.weights();
    let wrong = |weights: &[NamedTensor]| {
        let wrong = differences(weights, &before, &expected.tensors, allowed);
        (wrong.len(), wrong.join("\n"))
    };
    let (count, text) = wrong(&found);
    assert_eq!(count, 0, "{scenario}:\n{text}");
    // The same comparison finds fault with every tensor that should have moved and did not, or not far enough.
    let trained = expected.tensors.values().filter(|t| t.moved > 0.0).count();
    assert_eq!(
        trained,
        if frozen {
            before.len() - 20
        } else {
            before.len()
        }
    );
    assert_eq!(wrong(&before).0, trained, "{scenario}: untrained");
    let (count, text) = wrong(&on_the_way(&before, &found, 9.0));
    assert_eq!(count, trained, "{scenario}, nine tenths:\n{text}");
}

// `losses` is about three times what PyTorch in f32 differs from f64 here (same script, `.float()`): 1.7 % in the first
// scenario, where Adam turns the sign of gradients that are zero but for rounding into full steps at 1e-3 in every
// layer, and less than 0.05 % in the other two. So are `moved` (0.20, 0.07 and 1.0 %) and `values` (4.1, 0.3 and
// 2.7 %): batch norms at 1e-5 move by a hundred roundings of f32.
#[test]
fn ten_one_cycle_steps_of_every_layer_give_pytorchs_losses_and_weights() {
    let allowed = Allowed {
        losses: 5e-2,
        moved: 6e-3,
        values: 0.12,
    };
    check("full", false, 1e-3, 0.01, &allowed);
}

#[test]
fn ten_steps_with_a_frozen_body_train_its_batch_norms_and_move_its_statistics_as_pytorch_does() {
    let allowed = Allowed {
        losses: 2e-3,
        moved: 2e-3,
        values: 0.01,
    };
    check("frozen", true, slice(..1e-3), 0.01, &allowed);
}

#[test]
fn ten_steps_with_a_rate_per_layer_group_give_pytorchs_losses_and_weights() {
    let allowed = Allowed {
        losses: 2e-3,
        moved: 3e-2,
        values: 0.08,
    };
    check("discriminative", false, slice(1e-5..1e-3), 0.1, &allowed);
}
