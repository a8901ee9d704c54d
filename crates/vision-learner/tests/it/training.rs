//! Training gives the numbers that PyTorch gets when it trains as fastai v1 does.

use std::collections::BTreeMap;
use std::path::Path;

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

/// The pictures of `scripts/make_training_fixture.py`, as PNG files: one batch an epoch, also to validate.
fn pictures(root: &Path, fixture: &Value) {
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

fn check(scenario: &str, frozen: bool, lr: impl Into<LearningRate>, wd: f64, allowed: f64) {
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
    let file = dir.path().join("filled.safetensors");
    write_safetensors(&file, &filled.collect::<Vec<_>>(), &BTreeMap::new()).unwrap();
    learner.load(&file).unwrap();
    if frozen {
        learner.freeze().unwrap();
    }
    let expected = &fixture[scenario];
    assert_eq!(
        learner.num_params().0 as u64,
        expected["trainable"].as_u64().unwrap()
    );

    let record = learner.fit_one_cycle(10, lr).unwrap();
    let losses: Vec<f64> = serde_json::from_value(expected["losses"].clone()).unwrap();
    assert_eq!(record.raw_losses.len(), losses.len());
    for (step, (ours, torch)) in record.raw_losses.iter().zip(&losses).enumerate() {
        // The expected numbers are f64's. PyTorch in f32 is 1.7e-5 off at the first step, since the last
        // stage normalises maps of one pixel; later steps: see the tests below.
        let tolerance = if step == 0 {
            5e-5
        } else {
            allowed * torch + 1e-6
        };
        assert!(
            (ours - torch).abs() < tolerance,
            "{scenario}, step {step}: {ours} is not {torch}"
        );
    }
    let valid = learner.validate().unwrap()[0].1;
    let torch = expected["valid_loss"].as_f64().unwrap();
    assert!(
        (valid - torch).abs() < allowed * torch,
        "{scenario}: {valid} is not {torch}"
    );

    for tensor in learner.weights() {
        let norm = tensor
            .values
            .iter()
            .map(|v| f64::from(*v).powi(2))
            .sum::<f64>()
            .sqrt();
        let torch = expected["tensors"][&tensor.name][1].as_f64().unwrap();
        assert!(
            (norm - torch).abs() <= 2e-3 * torch + 1e-4,
            "{scenario}, {}: {norm} is not {torch}",
            tensor.name
        );
    }
}

// `allowed` is about three times what PyTorch in f32 differs from f64 here (same script, `.float()`): 1.7 % for the first
// scenario, where Adam turns the sign of gradients that are zero but for rounding into full steps at 1e-3 in every
// layer, and less than 0.05 % for the other two.
#[test]
fn ten_one_cycle_steps_of_every_layer_give_pytorchs_losses_and_weights() {
    check("full", false, 1e-3, 0.01, 5e-2);
}

#[test]
fn ten_steps_with_a_frozen_body_train_its_batch_norms_and_move_its_statistics_as_pytorch_does() {
    check("frozen", true, slice(..1e-3), 0.01, 2e-3);
}

#[test]
fn ten_steps_with_a_rate_per_layer_group_give_pytorchs_losses_and_weights() {
    check("discriminative", false, slice(1e-5..1e-3), 0.1, 2e-3);
}
