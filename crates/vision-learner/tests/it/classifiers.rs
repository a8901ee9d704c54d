//! Classifiers that were trained elsewhere, head and all.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;
use vision_data::Image;
use vision_learner::load_classifier;
use vision_models::weights::{WeightsSource, write_safetensors};
use vision_models::{Init, parity, state};

use crate::prelude::*;

fn data(classes: &[&str]) -> ImageDataBunch {
    ImageDataBunch::single_from_classes(".", classes.iter().copied())
        .size(64)
        .normalize(Stats::IMAGENET)
        .build()
        .unwrap()
}

/// A classifier of three classes under torchvision's names, as `scripts/make_classifier_logits.py` fills it, behind
/// a prefix.
fn file(folder: &Path, arch: Arch, prefix: &str) -> PathBuf {
    let device = Device::default();
    let net = parity::filled(arch.build(3, &mut Init::zeroed(&device)), 0);
    let mut tensors = state::tensors(&net);
    for tensor in &mut tensors {
        tensor.name = format!("{prefix}{}", tensor.name);
    }
    let path = folder.join(format!("{}.safetensors", arch.name()));
    write_safetensors(&path, &tensors, &BTreeMap::new()).unwrap();
    path
}

fn image() -> Image {
    let pixels = parity::uniform("image", 0).take(64 * 64 * 3);
    let pixels = pixels.map(|u| (128.0 * (1.0 + u)).floor() as u8).collect();
    Image::from_rgb8(64, 64, pixels).unwrap()
}

#[test]
fn a_classifier_of_torchvision_says_what_it_says_there() {
    let expected = include_str!("../fixtures/classifiers.json");
    let expected: Value = serde_json::from_str(expected).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let models = expected["models"].as_object().unwrap();
    assert_eq!(models.len(), 3);
    for (name, expected) in models {
        let arch: Arch = name.parse().unwrap();
        let path = file(folder.path(), arch, "state_dict.model.");
        let learner = load_classifier(data(&["a", "b", "c"]), arch, &path)
            .silent(true)
            .build()
            .unwrap();
        let prediction = learner.predict(&image()).unwrap();
        let logits: Vec<f64> = serde_json::from_value(expected["logits"].clone()).unwrap();
        let largest = logits
            .iter()
            .fold(0f64, |most, logit| most.max(logit.abs()));
        // Probabilities tell logits up to a number that all share.
        let ln = |i: usize| f64::from(prediction.probabilities[i]).ln();
        for i in 1..3 {
            let (ours, theirs) = (ln(i) - ln(0), logits[i] - logits[0]);
            let error = (ours - theirs).abs() / largest;
            assert!(error < 2e-5, "{name}: {ours} {theirs}: {error}");
        }
        let report = learner.weights_report().unwrap();
        assert!(report.is_complete() && report.unused.is_empty(), "{report}");
        assert!(report.to_string().contains("state_dict.model."), "{report}");
        assert!(learner.warnings().is_empty());
    }
}

#[test]
fn another_number_of_classes_is_an_error_that_says_both() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(folder.path(), Arch::SqueezeNet1_1, "");
    let error = load_classifier(data(&["a", "b"]), Arch::SqueezeNet1_1, &path)
        .build()
        .unwrap_err()
        .to_string();
    for part in ["squeezenet1_1.safetensors", "trained on 3 classes", "has 2"] {
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn a_saved_classifier_loads_into_the_same_learner_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(folder.path(), Arch::SqueezeNet1_1, "module.");
    let source = WeightsSource::new(&path).prefix("module");
    let make = || {
        load_classifier(data(&["a", "b", "c"]), Arch::SqueezeNet1_1, &source)
            .silent(true)
            .build()
            .unwrap()
    };
    let saved = make().save(folder.path().join("again")).unwrap();
    let mut learner = make();
    let before = learner.predict(&image()).unwrap();
    learner.load(&saved).unwrap();
    assert_eq!(learner.predict(&image()).unwrap(), before);
}

#[test]
fn pixels_that_are_not_normalized_are_warned_of() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(folder.path(), Arch::SqueezeNet1_1, "");
    let data = ImageDataBunch::single_from_classes(".", ["a", "b", "c"]).size(64);
    let learner = load_classifier(data.build().unwrap(), Arch::SqueezeNet1_1, &path)
        .silent(true)
        .build()
        .unwrap();
    assert!(
        learner.warnings()[0].contains("normalize"),
        "{:?}",
        learner.warnings()
    );
}
